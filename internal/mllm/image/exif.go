package image

import (
	"bytes"
	"encoding/binary"
)

// orientation returns the EXIF orientation of an encoded picture, 1 (upright) to 8, and
// 1 if there is none or it makes no sense. It reads only inside data.
func orientation(data []byte, f format) int {
	switch f {
	case formatJPEG:
		return tiffOrientation(exifOfJPEG(data))
	case formatPNG:
		return tiffOrientation(exifOfPNG(data))
	case formatWebP:
		return tiffOrientation(exifOfWebP(data))
	}
	return 1
}

var exifHeader = []byte("Exif\x00\x00")

// exifOfJPEG walks the marker segments before the first scan.
func exifOfJPEG(data []byte) []byte {
	for i := 2; i+4 <= len(data); {
		if data[i] != 0xff {
			return nil
		}
		marker := data[i+1]
		switch {
		case marker == 0xff: // fill
			i++
			continue
		case marker == 0x01, marker >= 0xd0 && marker <= 0xd8: // without a length
			i += 2
			continue
		case marker == 0xda, marker == 0xd9: // scan, end
			return nil
		}
		length := int(binary.BigEndian.Uint16(data[i+2:]))
		if length < 2 || i+2+length > len(data) {
			return nil
		}
		segment := data[i+4 : i+2+length]
		if marker == 0xe1 && bytes.HasPrefix(segment, exifHeader) {
			return segment[len(exifHeader):]
		}
		i += 2 + length
	}
	return nil
}

// exifOfPNG walks the chunks; eXIf may come before or after the pixels.
func exifOfPNG(data []byte) []byte {
	const overhead = 12 // length, type, checksum
	for i := 8; i+overhead <= len(data); {
		length := int64(binary.BigEndian.Uint32(data[i:]))
		if length > int64(len(data)-i-overhead) {
			return nil
		}
		if string(data[i+4:i+8]) == "eXIf" {
			return data[i+8 : i+8+int(length)]
		}
		i += overhead + int(length)
	}
	return nil
}

// exifOfWebP walks the RIFF chunks. Some encoders put JPEG's header before the block.
func exifOfWebP(data []byte) []byte {
	for i := 12; i+8 <= len(data); {
		length := int64(binary.LittleEndian.Uint32(data[i+4:]))
		if length > int64(len(data)-i-8) {
			return nil
		}
		if string(data[i:i+4]) == "EXIF" {
			return bytes.TrimPrefix(data[i+8:i+8+int(length)], exifHeader)
		}
		i += 8 + int(length+length&1) // chunks are padded to an even length
	}
	return nil
}

// tiffOrientation reads tag 0x0112 of the first directory of a TIFF block.
func tiffOrientation(block []byte) int {
	const upright = 1
	if len(block) < 8 {
		return upright
	}
	var order binary.ByteOrder
	switch string(block[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return upright
	}
	at := int64(order.Uint32(block[4:]))
	if at > int64(len(block))-2 {
		return upright
	}
	dir := block[at:]
	entries := dir[2:]
	for n := int(order.Uint16(dir)); n > 0 && len(entries) >= 12; n, entries = n-1, entries[12:] {
		if order.Uint16(entries) != 0x0112 {
			continue
		}
		var value uint32
		switch order.Uint16(entries[2:]) {
		case 3: // SHORT
			value = uint32(order.Uint16(entries[8:]))
		case 4: // LONG
			value = order.Uint32(entries[8:])
		}
		if value >= 1 && value <= 8 {
			return int(value)
		}
		return upright
	}
	return upright
}
