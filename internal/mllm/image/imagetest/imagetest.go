// Package imagetest makes the pictures that strangers send, for tests: ones that unpack
// to more than they weigh, lie in their headers, end too soon, move, lie on their side,
// or are meant for a printer.
package imagetest

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/bits"
)

// Plain is a picture of one colour.
func Plain(w, h int, c color.Color) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, c)
		}
	}
	return img
}

// Halves is a picture whose upper half has one colour and whose lower half another.
func Halves(w, h int, upper, lower color.Color) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			if c := upper; y < h/2 {
				img.Set(x, y, c)
			} else {
				img.Set(x, y, lower)
			}
		}
	}
	return img
}

// PNG encodes a picture.
func PNG(img image.Image) []byte {
	var buf bytes.Buffer
	must(png.Encode(&buf, img))
	return buf.Bytes()
}

// JPEG encodes a picture.
func JPEG(img image.Image) []byte {
	var buf bytes.Buffer
	must(jpeg.Encode(&buf, img, &jpeg.Options{Quality: 95}))
	return buf.Bytes()
}

// Animation is a GIF of one frame a colour.
func Animation(w, h int, colours ...color.Color) []byte {
	anim := &gif.GIF{}
	for _, c := range colours {
		frame := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{c, color.White})
		anim.Image, anim.Delay = append(anim.Image, frame), append(anim.Delay, 10)
	}
	var buf bytes.Buffer
	must(gif.EncodeAll(&buf, anim))
	return buf.Bytes()
}

// Huge is a small JPEG whose header claims w×h pixels.
func Huge(w, h int) []byte {
	data := JPEG(Plain(64, 64, color.Gray{128}))
	sof := bytes.Index(data, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(data[sof+5:], uint16(h))
	binary.BigEndian.PutUint16(data[sof+7:], uint16(w))
	return data
}

// Bomb is a PNG whose header says w×h black and white pixels, and whose data unpack to
// that many bytes.
func Bomb(w, h, unpacked int) []byte {
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(w)), uint32(h))
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	zeros := make([]byte, 1<<16)
	for ; unpacked > 0; unpacked -= len(zeros) {
		_, err := z.Write(zeros[:min(len(zeros), unpacked)])
		must(err)
	}
	must(z.Close())
	out := []byte("\x89PNG\r\n\x1a\n")
	out = chunk(out, "IHDR", append(header, 1, 0, 0, 0, 0))
	out = chunk(out, "IDAT", packed.Bytes())
	return chunk(out, "IEND", nil)
}

func chunk(out []byte, name string, body []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
	from := len(out)
	out = append(append(out, name...), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[from:]))
}

// Rotated adds to a JPEG the EXIF orientation o, 1 to 8.
func Rotated(data []byte, o int) []byte {
	block := []byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00")
	block = append(block, byte(o), 0, 0, 0, 0, 0, 0)
	app1 := binary.BigEndian.AppendUint16([]byte{0xff, 0xd8, 0xff, 0xe1}, uint16(len(block)+2))
	return append(append(app1, block...), data[2:]...)
}

// The colour transforms of a JPEG by Adobe in four components.
const (
	AdobeCMYK = 0
	AdobeYCCK = 2
)

// Printed is a JPEG of one 8×8 block in four components, whose samples are given as they
// are stored, with Adobe's mark and the transform in it.
func Printed(samples [4]byte, transform byte) []byte {
	out := []byte{0xff, 0xd8}
	segment := func(marker byte, body ...byte) {
		out = append(binary.BigEndian.AppendUint16(append(out, 0xff, marker), uint16(len(body)+2)), body...)
	}
	segment(0xee, append([]byte("Adobe"), 0, 100, 0, 0, 0, 0, transform)...)
	segment(0xdb, append([]byte{0}, bytes.Repeat([]byte{8}, 64)...)...) // so that a DC of 1 is one step of a sample
	segment(0xc0, 8, 0, 8, 0, 8, 4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0)
	// DC: the number of bits, 0 to 8, in four bits. AC: one code, "0", the end of the block.
	segment(0xc4, append(append([]byte{0x00}, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0, 1, 2, 3, 4, 5, 6, 7, 8)...)
	segment(0xc4, append([]byte{0x10, 1}, make([]byte, 16)...)...)
	segment(0xda, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0)
	var w bitWriter
	for _, s := range samples {
		dc := int(s) - 128
		size := bits.Len(uint(max(dc, -dc)))
		w.write(size, 4)
		if dc < 0 {
			dc += 1<<size - 1
		}
		w.write(dc, size)
		w.write(0, 1)
	}
	w.write(0x7f, 7) // fill with ones
	return append(append(out, w.out...), 0xff, 0xd9)
}

// bitWriter writes whole bytes, the high bits first, and drops what is left.
type bitWriter struct {
	out     []byte
	pending uint32
	n       int
}

func (w *bitWriter) write(v, n int) {
	w.pending, w.n = w.pending<<n|uint32(v), w.n+n
	for ; w.n >= 8; w.n -= 8 {
		b := byte(w.pending >> (w.n - 8))
		if w.out = append(w.out, b); b == 0xff {
			w.out = append(w.out, 0) // a byte of ones is no marker
		}
	}
}

func must(err error) {
	if err != nil {
		panic(err) // into memory, from tests
	}
}
