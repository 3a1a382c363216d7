package image

import "encoding/binary"

// firstFrame returns the first frame of an animated WebP as a still picture, and any other
// WebP unchanged, because the decoder does not support animations. It keeps the other chunks
// of the file, EXIF among them.
func firstFrame(data []byte) []byte {
	var frame, rest []byte
	for i := 12; i+8 <= len(data); {
		length := int64(binary.LittleEndian.Uint32(data[i+4:]))
		if length > int64(len(data)-i-8) {
			break
		}
		end := i + 8 + int(length)
		chunk := data[i+8 : end]
		switch string(data[i : i+4]) {
		case "ANMF":
			if frame == nil && len(chunk) > 16 { // position, size, duration and flags, then a still's chunks
				frame = chunk
			}
		case "EXIF":
			rest = append(rest, data[i:end]...)
			if length%2 == 1 {
				rest = append(rest, 0)
			}
		}
		i = end + int(length&1)
	}
	if frame == nil {
		return data
	}
	sub := frame[16:]
	flags := byte(0)
	if len(sub) >= 4 && string(sub[:4]) == "ALPH" {
		flags = 1 << 4
	}
	out := []byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00")
	out = append(out, flags, 0, 0, 0)
	out = append(out, frame[6:12]...) // width-1 and height-1, three bytes each, as VP8X has them
	out = append(out, sub...)
	if len(sub)%2 == 1 {
		out = append(out, 0)
	}
	out = append(out, rest...)
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}
