// Package logo reads the image that somebody registers for an app, and makes it one that the server itself has written: a small PNG
// with the pixels alone. Metadata, comments, palettes and whatever stands behind the image do not survive (SMART-067).
//
// An image is hostile until then. Its type, size and number of frames are read from its headers before anything is decoded, so that
// a file of a few bytes that says that it is huge costs nothing.
package logo

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
)

// The bounds of an image, and the side in pixels of what Clean returns.
const (
	MaxBytes = 256 << 10
	MaxSide  = 2048
	Side     = 96
)

// maxScans is how many scans a JPEG image may have. A progressive image has about ten, and each costs a walk over all of its pixels.
const maxScans = 32

// errType is the refusal of everything that is not one of the formats.
var errType = errors.New("must be an image in PNG, JPEG or GIF; SVG and other formats are not accepted")

// format is a format that is accepted.
type format struct {
	magic    string
	header   func([]byte) (image.Config, error)
	decode   func([]byte) (image.Image, error)
	unwanted func([]byte) error // by the structure alone; called before decode
}

func formats() []format {
	return []format{
		{"\x89PNG\r\n\x1a\n", func(b []byte) (image.Config, error) { return png.DecodeConfig(bytes.NewReader(b)) },
			func(b []byte) (image.Image, error) { return png.Decode(bytes.NewReader(b)) }, animatedPNG},
		{"\xff\xd8\xff", func(b []byte) (image.Config, error) { return jpeg.DecodeConfig(bytes.NewReader(b)) },
			func(b []byte) (image.Image, error) { return jpeg.Decode(bytes.NewReader(b)) }, longJPEG},
		{"GIF87a", gifHeader, gifImage, animatedGIF},
		{"GIF89a", gifHeader, gifImage, animatedGIF},
	}
}

func gifHeader(b []byte) (image.Config, error) { return gif.DecodeConfig(bytes.NewReader(b)) }
func gifImage(b []byte) (image.Image, error)   { return gif.Decode(bytes.NewReader(b)) }

// Clean returns the PNG of an image of at most Side pixels a side, in the proportions of the image. The PNG of a PNG that it has
// returned is the same. The error says why an image is refused.
func Clean(raw []byte) ([]byte, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("is longer than %d bytes", MaxBytes)
	}
	for _, f := range formats() {
		if bytes.HasPrefix(raw, []byte(f.magic)) {
			return f.clean(raw)
		}
	}
	return nil, errType
}

func (f format) clean(raw []byte) ([]byte, error) {
	size, err := f.header(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot be read as an image: %w", err)
	}
	if size.Width < 1 || size.Height < 1 || size.Width > MaxSide || size.Height > MaxSide {
		return nil, fmt.Errorf("is %d by %d pixels, and each side must be 1 to %d", size.Width, size.Height, MaxSide)
	}
	if err := f.unwanted(raw); err != nil {
		return nil, err
	}
	read, err := f.decode(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot be read as an image: %w", err)
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, fit(read, Side)); err != nil {
		return nil, fmt.Errorf("write the image: %w", err)
	}
	return out.Bytes(), nil
}
