package logo

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// errAnimated is the refusal of images with more than one frame.
var errAnimated = errors.New("is animated: one image is required")

// animatedPNG refuses a PNG with the chunk that says that it is animated.
func animatedPNG(raw []byte) error {
	for rest := raw[8:]; len(rest) >= 8; {
		if string(rest[4:8]) == "acTL" {
			return errAnimated
		}
		length := uint64(binary.BigEndian.Uint32(rest)) + 12 // with the length, the type and the checksum
		if length > uint64(len(rest)) {
			return nil // the decoder says that it is truncated
		}
		rest = rest[length:]
	}
	return nil
}

// longJPEG refuses a JPEG with many scans. Within the data of a scan the byte 0xff is never followed by the mark of another scan.
func longJPEG(raw []byte) error {
	if bytes.Count(raw, []byte{0xff, 0xda}) > maxScans {
		return errors.New("has too many scans: save it without the option progressive")
	}
	return nil
}

// The blocks of a GIF.
const (
	gifImageBlock = 0x2c
	gifExtension  = 0x21
)

// animatedGIF refuses a GIF with a second image.
func animatedGIF(raw []byte) error {
	rest, images := raw[min(len(raw), 13):], 0
	if len(raw) >= 13 {
		rest = skipColours(rest, raw[10])
	}
	for len(rest) > 0 {
		switch rest[0] {
		case gifExtension:
			rest = rest[min(2, len(rest)):]
		case gifImageBlock:
			if images++; images > 1 {
				return errAnimated
			}
			if len(rest) < 10 {
				return nil // the decoder says that it is truncated
			}
			rest = skipColours(rest[10:], rest[9])
			rest = rest[min(1, len(rest)):] // the size of a code
		default:
			return nil // the end
		}
		rest = skipBlocks(rest)
	}
	return nil
}

// skipColours skips a table of colours, if the flags say that there is one.
func skipColours(rest []byte, flags byte) []byte {
	if flags&0x80 == 0 {
		return rest
	}
	return rest[min(len(rest), 3<<(flags&7+1)):]
}

// skipBlocks skips the data of a block, which ends in one of no bytes.
func skipBlocks(rest []byte) []byte {
	for len(rest) > 0 {
		n := int(rest[0])
		rest = rest[min(len(rest), n+1):]
		if n == 0 {
			break
		}
	}
	return rest
}
