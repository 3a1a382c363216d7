package offline

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
)

// paint draws a w×h picture.
func paint(w, h int, at func(x, y int) uint32) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := at(x, y)
			m.SetNRGBA(x, y, color.NRGBA{uint8(c >> 16), uint8(c >> 8), uint8(c), 255})
		}
	}
	return m
}

// boxed puts inside into a centred box of half the width and height.
func boxed(ground uint32, inside func(x, y int) uint32) *image.NRGBA {
	return paint(400, 400, func(x, y int) uint32 {
		if x >= 100 && x < 300 && y >= 100 && y < 300 {
			return inside(x, y)
		}
		return ground
	})
}

func flat(c uint32) func(x, y int) uint32 { return func(int, int) uint32 { return c } }

func TestDescribeImage(t *testing.T) {
	stripes := func(x, y int) uint32 {
		if x/12%2 == 0 {
			return 0x17244f
		}
		return 0xf9e02c
	}
	spots := func(x, y int) uint32 {
		dx, dy := x%40-20, y%40-20
		if dx*dx+dy*dy < 100 {
			return 0xffffff
		}
		return 0xd61f26
	}
	for _, c := range []struct {
		name string
		m    image.Image
		want string
	}{
		{"red box", boxed(0xffffff, flat(0xd02020)), "A plain red subject, medium-sized and centred, on a white background; very bright, medium contrast, vivid; square."},
		{"stripes", boxed(0xffffff, stripes), "A striped yellow and navy subject, medium-sized and centred, on a white background; very bright, medium contrast, vivid; square."},
		{"dots", boxed(0x101010, spots), "A dotted red and white subject, medium-sized and centred, on a black background; dark, medium contrast, vivid; square."},
		{"whole frame of stripes", paint(960, 640, func(x, y int) uint32 { return stripes(x/4, y) }), "A striped yellow and navy picture that fills the frame; dim, high contrast, vivid; landscape."},
		{"nothing", paint(100, 300, flat(0xffffff)), "An empty white picture; very bright, low contrast, colourless; portrait."},
		{"one pixel", paint(1, 1, flat(0x2360c8)), "An empty blue picture; dim, low contrast, vivid; square."},
		{"thin line", paint(5000, 1, flat(0x2f9e44)), "An empty green picture; bright, low contrast, vivid; landscape."},
		{"corner", paint(200, 200, func(x, y int) uint32 {
			if x >= 130 && x < 180 && y >= 130 && y < 180 {
				return 0x74329b
			}
			return 0xfbf3d9
		}), "A plain purple subject, small and towards the bottom right, on a cream background; very bright, medium contrast, vivid; square."},
	} {
		got, err := describeImage(c.m)
		if err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestColourWords(t *testing.T) {
	for rgb, want := range map[uint32]string{
		0xffffff: "white", 0x000000: "black", 0x0000ff: "blue", 0x00ff00: "lime", 0xff0000: "red", 0xffff00: "yellow",
		0x000080: "navy", 0x87ceeb: "sky", 0xffc0cb: "pink", 0x8b4513: "brown", 0x808080: "grey", 0xffa500: "orange",
		0x800080: "purple", 0x008080: "teal", 0xf5f5dc: "cream", 0x1e90ff: "blue", 0xff00ff: "magenta", 0xe6e6fa: "lavender",
	} {
		c := toLab(float64(rgb>>16)/255, float64(rgb>>8&255)/255, float64(rgb&255)/255)
		if got := palette[nearest(c)].word; got != want {
			t.Errorf("%06x is called %s, want %s", rgb, got, want)
		}
	}
}

func describe(data []byte) (texts.Answer, error) {
	return Describer{}.Describe(context.Background(), texts.DescribeRequest{Image: mllm.Image{Data: data, SHA256: "abc"}})
}

func encodeAll(t *testing.T, m image.Image) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	put := func(name string, enc func(*bytes.Buffer) error) {
		var b bytes.Buffer
		if err := enc(&b); err != nil {
			t.Fatal(err)
		}
		out[name] = b.Bytes()
	}
	put("png", func(b *bytes.Buffer) error { return png.Encode(b, m) })
	put("jpeg", func(b *bytes.Buffer) error { return jpeg.Encode(b, m, nil) })
	put("gif", func(b *bytes.Buffer) error { return gif.Encode(b, m, nil) })
	return out
}

func TestDescribeFormatsAgree(t *testing.T) {
	for format, data := range encodeAll(t, boxed(0xffffff, flat(0x137c7c))) {
		a, err := describe(data)
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if !strings.HasPrefix(a.Text, "A plain teal subject, medium-sized and centred, on a white background") {
			t.Errorf("%s: %s", format, a.Text)
		}
		if a.Model != DescriberModel || a.ImageHash != "abc" {
			t.Errorf("%s: provenance %+v", format, a)
		}
	}
	webp, err := base64.StdEncoding.DecodeString("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := describe(webp); err != nil {
		t.Errorf("webp: %v", err)
	}
}

func TestTransparentIsOnWhite(t *testing.T) {
	m := boxed(0, flat(0xd02020))
	for i := range m.Pix {
		if i%4 == 3 && m.Pix[i-3] == 0 {
			m.Pix[i] = 0
		}
	}
	got, err := describeImage(m)
	if err != nil || !strings.Contains(got, "on a white background") {
		t.Errorf("%s, %v", got, err)
	}
}

// bomb is a PNG whose header promises w×h pixels and that ends there.
func bomb(w, h uint32) []byte {
	ihdr := []byte("IHDR")
	ihdr = binary.BigEndian.AppendUint32(ihdr, w)
	ihdr = binary.BigEndian.AppendUint32(ihdr, h)
	ihdr = append(ihdr, 8, 2, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	out = append(out, ihdr...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(ihdr))
}

func TestDescribeRefuses(t *testing.T) {
	whole := encodeAll(t, boxed(0xffffff, flat(0xd02020)))
	for name, c := range map[string]struct {
		data []byte
		say  string
	}{
		"empty":          {nil, "header"},
		"text":           {[]byte("not a picture"), "header"},
		"truncated png":  {whole["png"][:len(whole["png"])/2], "decode the png"},
		"truncated jpeg": {whole["jpeg"][:200], "header"},
		"bomb":           {bomb(60_000, 60_000), "60000×60000 pixels"},
		"overflow":       {bomb(1<<31-1, 1<<31-1), "header"},
	} {
		if _, err := describe(c.data); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDescribe(f *testing.F) {
	var b bytes.Buffer
	if err := png.Encode(&b, paint(8, 6, flat(0x2360c8))); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	b.Reset()
	if err := gif.Encode(&b, paint(8, 6, flat(0x2360c8)), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(bomb(3, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := describe(data)
		if err == nil && (len(strings.Fields(a.Text)) < 5 || !strings.HasSuffix(a.Text, ".")) {
			t.Fatalf("said %q", a.Text)
		}
	})
}

func BenchmarkDescribe(b *testing.B) {
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, paint(896, 896, func(x, y int) uint32 { return uint32(x*y) & 0xffffff }), nil); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := describe(buf.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
}
