package ucum_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"math/big"
	"os"
	"regexp"
	"strings"
	"testing"

	"carerecord/conformance/testfiles"
	"carerecord/fhir/r4/r4test"
	"carerecord/fhir/ucum"
)

func number(t testing.TB, s string) ucum.Number {
	t.Helper()
	mantissa, exponent, _ := strings.Cut(s, "e")
	whole, part, _ := strings.Cut(mantissa, ".")
	c, ok := new(big.Int).SetString(whole+part, 10)
	e := new(big.Int)
	if exponent != "" {
		e.SetString(exponent, 10)
	}
	if !ok {
		t.Fatalf("%q is no number", s)
	}
	return ucum.Number{Coefficient: c, Exponent: int(e.Int64()) - len(part)}
}

// same reports whether two numbers are one, however they are written.
func same(a, b *ucum.Number) bool {
	if a == nil || b == nil {
		return a == b
	}
	return compare(*a, *b) == 0
}

func compare(a, b ucum.Number) int {
	low := min(a.Exponent, b.Exponent)
	up := func(n ucum.Number) *big.Int {
		return new(big.Int).Mul(n.Coefficient, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n.Exponent-low)), nil))
	}
	return up(a).Cmp(up(b))
}

func parse(t testing.TB, code string) ucum.Unit {
	t.Helper()
	u, err := ucum.Parse(code)
	if err != nil {
		t.Fatalf("%s: %v", code, err)
	}
	return u
}

// Equalities that definitions outside of this table give: the international
// yard and pound agreement of 1959, the SI brochure, the acts on weights and
// measures, the scales of temperature; those of chemistry by hand.
func TestEqualities(t *testing.T) {
	for _, c := range []struct{ a, unitA, b, unitB string }{
		{"5.4", "mg", "0.0054", "g"},
		{"1", "mg/dL", "0.01", "g/L"},
		{"1", "g/mL", "1000", "kg/m3"},
		{"100", "mg/dL", "1", "g/L"},
		{"1", "mmol/L", "1", "umol/mL"},
		{"120", "mm[Hg]", "12", "cm[Hg]"},
		{"1", "mm[Hg]", "133.322", "Pa"},
		{"1", "bar", "100", "kPa"},
		{"1", "atm", "1013.25", "mbar"},
		{"1", "[in_i]", "2.54", "cm"},
		{"1", "[ft_i]", "0.3048", "m"},
		{"1", "[mi_i]", "1609.344", "m"},
		{"3937", "[in_us]", "100", "m"},
		{"1", "[lb_av]", "453.59237", "g"},
		{"16", "[oz_av]", "1", "[lb_av]"},
		{"1", "[stone_av]", "6.35029318", "kg"},
		{"1", "[gal_br]", "4.54609", "L"},
		{"1", "[pt_br]", "568.26125", "mL"},
		{"1", "[gal_us]", "3.785411784", "L"},
		{"3", "[Ch]", "1", "mm"},
		{"1", "h", "3600", "s"}, {"1", "wk", "168", "h"}, {"1", "a", "365.25", "d"}, {"12", "mo", "1", "a"},
		{"37", "Cel", "310.15", "K"}, {"98.6", "[degF]", "37", "Cel"}, {"-40", "[degF]", "-40", "Cel"}, {"80", "[degRe]", "100", "Cel"}, {"37000", "mCel", "37", "Cel"},
		{"0", "Cel", "273.15", "K"}, {"491.67", "[degR]", "0", "Cel"},
		{"7", "[pH]", "100", "nmol/L"}, {"0", "[pH]", "1", "mol/L"},
		{"20", "dB", "100", "1"}, {"2", "B", "100", "1"}, {"60", "dB[uV]", "1", "mV"}, {"30", "dB[W]", "1", "kW"}, {"0", "Np", "1", "1"}, {"10", "bit_s", "1024", "1"},
		{"100", "%", "1", "1"}, {"1", "[ppm]", "1e-4", "%"}, {"1", "10*3/uL", "1", "10*9/L"}, {"5", "10^6/mL", "5", "10*9/L"},
		{"1", "kcal", "4184", "J"}, {"1", "[Cal]", "1", "kcal"}, {"1", "U", "1", "umol/min"}, {"60", "U", "1", "umol/s"}, {"1", "kat/L", "60", "kU/mL"},
		{"1", "mL/min/{1.73_m2}", "60", "mL/h"}, {"173", "mL/min/(173.10*-2.m2)", "1000000", "mL/min/(10*4.m2)"},
		{"1", "kg/m2", "0.1", "g/cm2"}, {"1", "N", "100000", "dyn"}, {"1", "J", "1", "W.s"}, {"1", "W", "1", "V.A"}, {"1", "Ohm", "1", "S-1"}, {"1", "lx", "1", "cd.sr/m2"},
		{"1", "[iU]/L", "1", "m[IU]/mL"}, {"1000", "[CFU]/mL", "1", "10*3.[CFU]/mL"},
		{"180", "deg", "1", "[pi].rad"}, {"1", "deg", "3600", "''"}, {"1", "circ", "400", "gon"},
		{"1", "m/s2", "100", "Gal"}, {"1", "m/(s.s)", "1", "m.s-2"}, {"1", "/m", "1", "[diop]"}, {"1", "m/s/s", "1", "m/s2"}, {"1", "/s/m", "1", "s-1.m-1"},
		{"1", "{a}", "1", "{b}"}, {"1", "10*", "10", "1"}, {"1", "By", "8", "bit"}, {"1", "KiBy", "1024", "By"},
		{"-1.5", "mg", "-0.0015", "g"}, {"0", "mg", "0", "kg"}, {"1e999999", "mg", "1e999996", "g"},
	} {
		u, v := parse(t, c.unitA), parse(t, c.unitB)
		if u.Dimension() != v.Dimension() {
			t.Errorf("%s is of %s, %s of %s: not commensurable", c.unitA, u.Dimension(), c.unitB, v.Dimension())
			continue
		}
		low, high := u.Canonical(number(t, c.a))
		low2, high2 := v.Canonical(number(t, c.b))
		if !same(low, low2) || !same(high, high2) {
			t.Errorf("%s %s: got %v to %v, %s %s is %v to %v", c.a, c.unitA, low, high, c.b, c.unitB, low2, high2)
		}
	}
}

// What is not equal, so that the table above proves something.
func TestInequalities(t *testing.T) {
	for _, c := range [][4]string{
		{"1", "mg", "1", "g"}, {"37", "Cel", "37", "K"}, {"7", "[pH]", "7", "mol/L"}, {"1", "a", "365.2425", "d"}, {"1", "[gal_br]", "1", "[gal_us]"}, {"10", "dB", "1", "1"},
		{"1", "[in_i]", "1", "[in_us]"}, {"1", "m/s.s", "1", "m/s2"},
	} {
		u, v := parse(t, c[1]), parse(t, c[3])
		low, high := u.Canonical(number(t, c[0]))
		low2, high2 := v.Canonical(number(t, c[2]))
		if u.Dimension() == v.Dimension() && same(low, low2) && same(high, high2) {
			t.Errorf("%v are the same: %v to %v", c, low, high)
		}
	}
}

func TestDimensions(t *testing.T) {
	for code, want := range map[string]string{
		"mg/dL": "m-3.g", "mm[Hg]": "m-1.s-2.g", "mmol/L": "m-3", "%": "1", "{score}": "1", "Cel": "K", "[iU]/L": "m-3.[iU]", "[IU]/[CFU]": "[CFU]-1.[iU]",
		"[iU]/[IU]": "1", "deg": "rad", "V": "m2.s-2.g.C-1", "lm": "rad2.cd", "K/W": "m-2.s3.g-1.K", "[pH]": "m-3", "eq/L": "m-3", "10*9/L": "m-3", "pH": "m2.g.C-2",
		"[arb'U]": "[arb'U]", "[GPL'U]": "[GPL'U]", "[HPF]": "1",
	} {
		if got := parse(t, code).Dimension(); got != want {
			t.Errorf("%s: got %s, want %s", code, got, want)
		}
	}
}

// Canonical rounds outward: a third of a millimetre lies between two numbers of
// 34 digits, and so does what no rational number is.
func TestRoundsOutward(t *testing.T) {
	for _, c := range []struct{ value, unit, low, high string }{
		{"1", "[Ch]", "3333333333333333333333333333333333e-37", "3333333333333333333333333333333334e-37"},
		{"-1", "[Ch]", "-3333333333333333333333333333333334e-37", "-3333333333333333333333333333333333e-37"},
		{"2", "[Ch]", "6666666666666666666666666666666666e-37", "6666666666666666666666666666666667e-37"},
		{"1234567890123456789012345678901234567890", "1", "1234567890123456789012345678901234e6", "1234567890123456789012345678901235e6"},
		{"9999999999999999999999999999999999999999", "1", "9999999999999999999999999999999999e6", "1e40"},
		// 10^0.5 and e, by their printed digits.
		{"0.5", "B", "3162277660168379331998893544432718e-33", "3162277660168379331998893544432719e-33"},
		{"1", "Np", "2718281828459045235360287471352662e-33", "2718281828459045235360287471352663e-33"},
		{"0.5", "bit_s", "1414213562373095048801688724209698e-33", "1414213562373095048801688724209699e-33"},
		// A slope of 100 % is 45 degrees, pi/4.
		{"100", "%[slope]", "7853981633974483096156608458198757e-34", "7853981633974483096156608458198758e-34"},
		{"-100", "%[slope]", "-7853981633974483096156608458198758e-34", "-7853981633974483096156608458198757e-34"},
		{"3", "[m/s2/Hz^(1/2)]", "9", "9"},
	} {
		low, high := parse(t, c.unit).Canonical(number(t, c.value))
		wantLow, wantHigh := number(t, c.low), number(t, c.high)
		if !same(low, &wantLow) || !same(high, &wantHigh) {
			t.Errorf("%s %s: got %v to %v, want %s to %s", c.value, c.unit, low, high, c.low, c.high)
		}
	}
}

// A function that falls says so, and the ends of the number line follow it.
func TestSpecialUnits(t *testing.T) {
	for code, falls := range map[string]bool{"[pH]": true, "[hp'_X]": true, "Cel": false, "dB": false, "mg": false} {
		if u := parse(t, code); u.Falls() != falls {
			t.Errorf("%s: falls is %v", code, u.Falls())
		}
	}
	for _, code := range []string{"[pH]", "Np", "dB[SPL]"} {
		if first, last := parse(t, code).Ends(); first == nil || first.Coefficient.Sign() != 0 || last != nil {
			t.Errorf("%s: got ends %v and %v, want 0 and none", code, first, last)
		}
	}
	if first, last := parse(t, "[degF]").Ends(); first != nil || last != nil {
		t.Errorf("[degF]: got ends %v and %v", first, last)
	}
	for _, c := range [][2]string{{"1e999", "Np"}, {"1e999", "Cel"}, {"-1e999", "[pH]"}, {"1e8", "B"}} {
		if low, high := parse(t, c[1]).Canonical(number(t, c[0])); low == nil || high != nil {
			t.Errorf("%v: got %v to %v, want an end that is open", c, low, high)
		}
	}
	for _, c := range [][2]string{{"-1e999", "Np"}, {"1e999", "[pH]"}, {"-1e8", "B"}} {
		if low, high := parse(t, c[1]).Canonical(number(t, c[0])); low == nil || high == nil || low.Coefficient.Sign() != 0 || high.Coefficient.Sign() <= 0 {
			t.Errorf("%v: got %v to %v, want from zero on", c, low, high)
		}
	}
	if low, high := parse(t, "Cel").Canonical(number(t, "1e-999")); compare(*low, *high) >= 0 {
		t.Errorf("a tiny number of Cel: got %v to %v", low, high)
	}
}

func TestRefuses(t *testing.T) {
	for _, code := range []string{
		"", "furlong", "(score)", "mg/", "/", ".", "mg..L", "(mg", "mg)", "mg{", "mg}", "{a{b}}", "mg dL", "mg{\u00e9}", "m-", "m+", "0", "/0", "mmg g", "kmin", "k%", "[degC]", "mm[HG]",
		"Cel/h", "Cel2", "2.Cel", "[pH].m", "m100", "m999999999999999999999", "10*99.10*99.10*99.10*99.10*99.10*99.10*99.10*99" + strings.Repeat(".10*99.10*99", 20) + strings.Repeat(".Ym99", 12),
		strings.Repeat("(", 17) + "m" + strings.Repeat(")", 17), strings.Repeat("m.", 200) + "m", "[in", "mg[", "1 mg",
	} {
		if u, err := ucum.Parse(code); err == nil {
			t.Errorf("%q: got a unit of %s", code, u.Dimension())
		}
	}
}

// Special units may stand beside what is 1, and in parentheses.
func TestSpecialUnitsStandAlone(t *testing.T) {
	for _, code := range []string{"Cel", "(Cel)", "1.Cel", "Cel{body}", "Cel1", "{x}.Cel", "Cel/{x}"} {
		if u := parse(t, code); !u.Special() || u.Dimension() != "K" {
			t.Errorf("%s is not special", code)
		}
	}
}

// common reads the codes of the value set ucum-common.
func common(t *testing.T) []string {
	t.Helper()
	for f := range r4test.Files(t) {
		if f.Name != "ValueSet-ucum-common.json" {
			continue
		}
		var set struct {
			Compose struct {
				Include []struct{ Concept []struct{ Code string } }
			}
		}
		if err := json.Unmarshal(f.Body(), &set); err != nil {
			t.Fatal(err)
		}
		var codes []string
		for _, include := range set.Compose.Include {
			for _, c := range include.Concept {
				codes = append(codes, c.Code)
			}
		}
		return codes
	}
	t.Fatal("there is no ucum-common in the package")
	return nil
}

func TestCommonUnits(t *testing.T) {
	codes := common(t)
	if len(codes) != 1364 {
		t.Errorf("got %d codes, want 1,364", len(codes))
	}
	for _, code := range codes {
		u, err := ucum.Parse(code)
		if err != nil {
			t.Errorf("%q: %v", code, err)
			continue
		}
		if low, high := u.Canonical(number(t, "1")); low == nil || high == nil || compare(*low, *high) > 0 {
			t.Errorf("%q: 1 is from %v to %v", code, low, high)
		}
	}
}

// Every unit of the sample patients, but for one that is none: it is compared
// literally.
func TestUnitsOfSamplePatients(t *testing.T) {
	unit := regexp.MustCompile(`"system"\s*:\s*"http://unitsofmeasure.org"\s*,\s*"code"\s*:\s*"([^"]*)"`)
	seen := map[string]bool{}
	for _, name := range testfiles.Shared(t, testfiles.Synthea+"/*.json.gz") {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		unzipped, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(unzipped)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		for _, m := range unit.FindAllSubmatch(text, -1) {
			seen[string(m[1])] = true
		}
	}
	if len(seen) < 20 {
		t.Errorf("got only the units %v", seen)
	}
	for code := range seen {
		if _, err := ucum.Parse(code); (err != nil) != (code == "(score)") {
			t.Errorf("%q: %v", code, err)
		}
	}
}

// Whatever parses has a canonical value, and two of them are ordered as the values
// are, as far as the digits tell.
func FuzzParse(f *testing.F) {
	for _, code := range []string{"mg/dL", "10*3/uL", "/100{WBC}", "mL/min/(173.10*-2.m2)", "m[H2O].[in_i]/m", "[degF]", "dB[SPL]", "[pH]", "[m/s2/Hz^(1/2)]", "g/(8.h){shift}", "Cel-1", "Ym-99"} {
		f.Add(code, int64(7), 2)
	}
	f.Fuzz(func(t *testing.T, code string, coefficient int64, exponent int) {
		u, err := ucum.Parse(code)
		if err != nil {
			return
		}
		exponent %= 10_000
		smaller, larger := ucum.Number{Coefficient: big.NewInt(coefficient), Exponent: exponent}, ucum.Number{Coefficient: big.NewInt(coefficient), Exponent: exponent}
		larger.Coefficient = new(big.Int).Add(larger.Coefficient, big.NewInt(1))
		if u.Falls() {
			smaller, larger = larger, smaller
		}
		low, high := u.Canonical(smaller)
		low2, high2 := u.Canonical(larger)
		for _, pair := range [][2]*ucum.Number{{low, high}, {low, high2}, {low2, high2}} {
			if pair[0] != nil && pair[1] != nil && pair[0].Exponent > -20_000 && pair[1].Exponent < 20_000 && compare(*pair[0], *pair[1]) > 0 {
				t.Errorf("%s: %v is %v to %v, %v is %v to %v", code, smaller, low, high, larger, low2, high2)
			}
		}
		if low != nil && len(new(big.Int).Abs(low.Coefficient).Text(10)) > ucum.Digits+1 {
			t.Errorf("%s: %v has more than %d digits", code, low, ucum.Digits)
		}
	})
}
