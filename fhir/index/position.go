package index

import (
	"encoding/binary"
	"math"
	"strconv"

	"carerecord/fhir/path"
	"carerecord/fhir/ucum"
	"carerecord/store"
)

// A position is encoded as its cell of a grid, then both coordinates in eight bytes each. A cell
// is eight bytes that interleave the bits of latitude and longitude (a geohash of 64 bits), so a
// range of cells is a rectangle.
const (
	cellBits      = 32 // of each coordinate
	cellWidth     = 8
	positionWidth = cellWidth + 16

	earthRadius     = 6_371_008.8 // metres, the mean of IUGG
	defaultDistance = 10_000      // metres (SRCH-125)
)

// position is a position on the earth in degrees (WGS84).
type position struct{ latitude, longitude float64 }

// positionOf reads a Location.position. It returns false for coordinates out of range.
func positionOf(v path.Value) (position, bool) {
	latitude, err := strconv.ParseFloat(v.GetText("latitude"), 64)
	longitude, err2 := strconv.ParseFloat(v.GetText("longitude"), 64)
	p := position{latitude, longitude}
	return p, err == nil && err2 == nil && p.onEarth()
}

func (p position) onEarth() bool {
	return math.Abs(p.latitude) <= 90 && math.Abs(p.longitude) <= 180
}

// positionKey adds the key of a position.
func (b *builder) positionKey(number uint16, p position) {
	b.begin(number, classPosition)
	b.buf = binary.BigEndian.AppendUint64(b.buf, interleave(gridStep(p.latitude, 90), gridStep(p.longitude, 180)))
	b.buf = binary.BigEndian.AppendUint64(b.buf, math.Float64bits(p.latitude))
	b.buf = binary.BigEndian.AppendUint64(b.buf, math.Float64bits(p.longitude))
	b.end()
}

// gridStep returns the number of the step of a coordinate, of 2^32 between -limit and limit.
func gridStep(degrees, limit float64) uint32 {
	return uint32(min(max((degrees+limit)/(2*limit)*(1<<cellBits), 0), 1<<cellBits-1))
}

// interleave interleaves bits, those of the longitude first.
func interleave(latitude, longitude uint32) uint64 {
	return spreadBits(longitude)<<1 | spreadBits(latitude)
}

// spreadBits inserts a zero before each bit.
func spreadBits(v uint32) uint64 {
	x := uint64(v)
	for _, s := range []struct {
		by   uint
		mask uint64
	}{{16, 0x0000ffff0000ffff}, {8, 0x00ff00ff00ff00ff}, {4, 0x0f0f0f0f0f0f0f0f}, {2, 0x3333333333333333}, {1, 0x5555555555555555}} {
		x = (x | x<<s.by) & s.mask
	}
	return x
}

// circle is the set of encoded positions within a distance of a position.
type circle struct {
	position
	metres float64
}

// Has reports whether an encoded position lies within the circle.
func (c circle) Has(name string) bool {
	if len(name) != positionWidth {
		return false
	}
	b := []byte(name[cellWidth:])
	return c.distance(position{math.Float64frombits(binary.BigEndian.Uint64(b)), math.Float64frombits(binary.BigEndian.Uint64(b[8:]))}) <= c.metres
}

// distance returns the great-circle distance in metres (haversine).
func (p position) distance(q position) float64 {
	sin := func(degrees float64) float64 { return math.Sin(degrees * math.Pi / 360) }
	cos := func(degrees float64) float64 { return math.Cos(degrees * math.Pi / 180) }
	h := square(sin(q.latitude-p.latitude)) + cos(p.latitude)*cos(q.latitude)*square(sin(q.longitude-p.longitude))
	return 2 * earthRadius * math.Asin(math.Sqrt(min(h, 1)))
}

func square(x float64) float64 { return x * x }

// nearPred returns the predicate of positions near another (SRCH-125).
func (x *Indexer) nearPred(p *param, value string) (store.Pred, error) {
	parts, err := splitBars(value)
	if err != nil {
		return nil, err
	}
	if len(parts) < 2 || len(parts) > 4 {
		return nil, fault("value", "%s: %q is not latitude|longitude|distance|unit.", p.Code, value)
	}
	c := circle{metres: defaultDistance}
	for i, to := range []*float64{&c.latitude, &c.longitude} {
		if _, err := parseDecimal(parts[i]); err != nil {
			return nil, fault("value", "%s: %q %s.", p.Code, parts[i], err)
		}
		if *to, err = strconv.ParseFloat(parts[i], 64); err != nil {
			return nil, fault("value", "%s: %q is not a coordinate.", p.Code, parts[i])
		}
	}
	if !c.onEarth() {
		return nil, fault("value", "%s: latitudes are from -90 to 90 and longitudes from -180 to 180, not %s and %s.", p.Code, parts[0], parts[1])
	}
	if len(parts) > 2 && parts[2] != "" {
		unit := "km"
		if len(parts) == 4 && parts[3] != "" {
			unit = parts[3]
		}
		if c.metres, err = x.metres(p, parts[2], unit); err != nil {
			return nil, err
		}
	}
	under := prefix(p.number, classPosition)
	return store.And{store.Or(c.coveringRanges(under)), store.In{Prefix: under, Set: c}}, nil
}

// metres reads a distance.
func (x *Indexer) metres(p *param, distance, code string) (float64, error) {
	n, err := parseNumberQuery(distance)
	if err != nil || n.coefficient.Sign() < 0 {
		return 0, fault("value", "%s: %q is not a distance.", p.Code, distance)
	}
	unit, ok := x.units.of(code)
	if !ok || unit.Special() || unit.Dimension() != "m" {
		return 0, fault("value", "%s: %q is not a unit of length; use km or [mi_i].", p.Code, code)
	}
	low, _ := unit.Canonical(ucum.Number{Coefficient: n.coefficient, Exponent: n.exponent})
	metres, err := strconv.ParseFloat(low.Coefficient.Text(10)+"e"+strconv.Itoa(low.Exponent), 64)
	if err != nil && metres == 0 {
		return 0, fault("value", "%s: %q is not a distance.", p.Code, distance)
	}
	return metres, nil
}

// coveringRanges returns a few ranges of keys that together have every position of the circle.
func (c circle) coveringRanges(under store.Key) []store.Pred {
	north := c.metres / earthRadius * 180 / math.Pi * 1.000001 // degrees of latitude, slightly enlarged
	low, high := c.latitude-north, c.latitude+north
	west, east := -180.0, 180.0
	if low > -90 && high < 90 {
		// The widest point of a circle is not its centre (Asin of the ratio).
		if wide := math.Asin(min(1, math.Sin(north*math.Pi/180)/math.Cos(c.latitude*math.Pi/180))) * 180 / math.Pi * 1.000001; wide < 90 {
			west, east = c.longitude-wide, c.longitude+wide
		}
	}
	var all []store.Pred
	add := func(west, east float64) {
		all = append(all, rectangleRanges(under, gridStep(low, 90), gridStep(high, 90), gridStep(west, 180), gridStep(east, 180))...)
	}
	switch {
	case west < -180: // across the 180th meridian
		add(-180, east)
		add(west+360, 180)
	case east > 180:
		add(west, 180)
		add(-180, east-360)
	default:
		add(west, east)
	}
	return all
}

// rectangleRanges returns the ranges of the squares, at most two by two, that cover a rectangle.
func rectangleRanges(under store.Key, south, north, west, east uint32) []store.Pred {
	size := 0 // bits of a coordinate within one square
	for size < cellBits && ((north>>size)-(south>>size) > 1 || (east>>size)-(west>>size) > 1) {
		size++
	}
	var all []store.Pred
	for y := uint64(south >> size); y <= uint64(north>>size); y++ {
		for x := uint64(west >> size); x <= uint64(east>>size); x++ {
			first := interleave(uint32(y<<size), uint32(x<<size))
			last := first | (1<<(2*size) - 1)
			key := func(cell uint64) store.Key {
				return under + store.Key(binary.BigEndian.AppendUint64(nil, cell))
			}
			all = append(all, store.Range{Low: key(first), High: store.PrefixEnd(key(last))})
		}
	}
	return all
}
