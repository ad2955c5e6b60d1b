package index_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"carerecord/fhir/index"
	"carerecord/store"
)

func TestNear(t *testing.T) {
	at := func(latitude, longitude string) string {
		return `Location "position":{"longitude":` + longitude + `,"latitude":` + latitude + `}`
	}
	// Leeds General Infirmary. York Minster is 36 km away, St James's 2.5 km.
	leeds := at("53.8018", "-1.5518")
	check(t, "SRCH-125 default distance and unit", leeds, "near=53.8063|-1.5217", "!near=53.9623|-1.0819", "near=53.9623|-1.0819|40", "!near=53.9623|-1.0819|34", "!near=53.9623|-1.0819||km", "near=53.8063|-1.5217||km", "near=53.8063|-1.5217|3|")
	check(t, "SRCH-125 units", leeds, "near=53.9623|-1.0819|40|km", "near=53.9623|-1.0819|40000|m", "near=53.9623|-1.0819|25|[mi_i]", "!near=53.9623|-1.0819|20|[mi_i]", "near=53.9623|-1.0819|25|[mi_us]", "!near=53.9623|-1.0819|3|km", "near=53.8018|-1.5518|0|km", "!near=53.8018|-1.5519|0|km")
	check(t, "SRCH-016 comma is or", leeds, "near=0|0|1|km,53.8|-1.55", "!near=0|0|1|km,1|1")
	check(t, "SRCH-125 across the 180th meridian", at("0", "179.99"), "near=0|-179.99|3|km", "!near=0|-179.99|2|km", "near=0.0|180|3|km", "near=0|-180|3|km")
	check(t, "SRCH-125 across a pole", at("89.99", "0"), "near=89.99|180|3|km", "!near=89.99|180|2|km", "near=90|77|2|km")
	check(t, "SRCH-125 the whole earth", at("-33.9", "151.2"), "near=51.5|0|1e9|km", "near=51.5|0|17100|km", "!near=51.5|0|16900|km", "near=51.5|0|1e300|km")
	check(t, "SRCH-125 no position", `Location "name":"x"`, "!near=0|0|1e9|km", "near:missing=true", "!near:missing=false")
	check(t, "SRCH-125 a position that is not on earth", at("91", "0"), "!near=90|0|1000|km", "near:missing=false")
}

// SRCH-125: a place is found if the angle between the two directions from the
// centre of the earth is small enough, computed here with vectors; and the ranges
// propose it.
func TestNearAgainstVectors(t *testing.T) {
	x := newIndexer(t)
	rapid.Check(t, func(t *rapid.T) {
		latitude := rapid.OneOf(rapid.Float64Range(-90, 90), rapid.SampledFrom([]float64{-90, 90, 0, 89.999, 53.8}))
		longitude := rapid.OneOf(rapid.Float64Range(-180, 180), rapid.SampledFrom([]float64{-180, 180, 0, 179.999, -1.5}))
		lat, long := latitude.Draw(t, "latitude"), longitude.Draw(t, "longitude")
		lat2, long2 := latitude.Draw(t, "asked latitude"), longitude.Draw(t, "asked longitude")
		if rapid.Bool().Draw(t, "close") {
			lat2 = math.Max(-90, math.Min(90, lat+rapid.Float64Range(-0.3, 0.3).Draw(t, "north")))
			long2 = math.Max(-180, math.Min(180, long+rapid.Float64Range(-0.5, 0.5).Draw(t, "east")))
		}
		km := rapid.OneOf(rapid.Float64Range(0, 60), rapid.Float64Range(0, 20_100)).Draw(t, "km")
		vector := func(lat, long float64) [3]float64 {
			lat, long = lat*math.Pi/180, long*math.Pi/180
			return [3]float64{math.Cos(lat) * math.Cos(long), math.Cos(lat) * math.Sin(long), math.Sin(lat)}
		}
		a, b := vector(lat, long), vector(lat2, long2)
		chord := math.Sqrt((a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1]) + (a[2]-b[2])*(a[2]-b[2]))
		distance := 2 * 6371.0088 * math.Asin(math.Min(1, chord/2))
		if rapid.Bool().Draw(t, "at the edge") {
			km = distance * rapid.SampledFrom([]float64{0.999, 1.0001, 1.001, 1.02}).Draw(t, "of it")
		}
		if math.Abs(distance-km) < 1e-3+distance*1e-6 {
			t.Skip("too close to say by floats")
		}
		row, err := x.Index("Location", "1", now, fmt.Appendf(nil, `{"resourceType":"Location","position":{"latitude":%.12f,"longitude":%.12f}}`, lat, long))
		if err != nil {
			t.Fatal(err)
		}
		query := fmt.Sprintf("%.12f|%.12f|%.9f|km", lat2, long2, km)
		pred, err := x.Predicate(index.Query{Type: "Location", Name: "near", Values: []string{query}})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := store.Match(pred, row.Keys), distance < km; got != want {
			t.Errorf("near=%s of %f %f: got %v, want %v: %f km", query, lat, long, got, want, distance)
		}
		if cover := pred.(store.And)[0].(store.Or); len(cover) == 0 || len(cover) > 8 {
			t.Errorf("near=%s: %d ranges", query, len(cover))
		}
	})
}
