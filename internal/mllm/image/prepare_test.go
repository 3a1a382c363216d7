package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	goimage "image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/image/imagetest"
)

func newTestLoader(t testing.TB, opt Options) *Loader {
	t.Helper()
	l, err := NewLoader(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	l.backoff = time.Millisecond
	return l
}

var (
	red   = color.RGBA{220, 20, 20, 255}
	green = color.RGBA{20, 200, 20, 255}
	blue  = color.RGBA{20, 20, 220, 255}
	grey  = color.RGBA{128, 128, 128, 255}
)

// corners is a w×h picture whose top left, top right and bottom left quarters are red,
// green and blue, and the last grey: every orientation of it is different.
func corners(w, h int) *goimage.RGBA {
	img := goimage.NewRGBA(goimage.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := red
			switch {
			case x >= w/2 && y < h/2:
				c = green
			case x < w/2 && y >= h/2:
				c = blue
			case x >= w/2:
				c = grey
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

func asJPEG(t testing.TB, img goimage.Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func asPNG(t testing.TB, img goimage.Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func decoded(t *testing.T, img mllm.Image) goimage.Image {
	t.Helper()
	out, err := jpeg.Decode(bytes.NewReader(img.Data))
	if err != nil {
		t.Fatal(err)
	}
	if img.MIME != "image/jpeg" || img.SHA256 != hash(img.Data) || out.Bounds().Dx() != img.Width || out.Bounds().Dy() != img.Height {
		t.Fatalf("the description %s %s %d×%d does not fit the bytes (%v)", img.MIME, img.SHA256, img.Width, img.Height, out.Bounds())
	}
	return out
}

func near(a, b color.Color) bool {
	ar, ag, ab, _ := a.RGBA()
	br, bg, bb, _ := b.RGBA()
	off := func(x, y uint32) bool { return max(x, y)-min(x, y) > 16<<8 }
	return !off(ar, br) && !off(ag, bg) && !off(ab, bb)
}

// wantCorners checks the colours in the middle of the four quarters.
func wantCorners(t *testing.T, img goimage.Image, want [4]color.RGBA) {
	t.Helper()
	b := img.Bounds()
	for i, c := range want {
		x, y := b.Dx()/4+(i%2)*b.Dx()/2, b.Dy()/4+(i/2)*b.Dy()/2
		if got := img.At(b.Min.X+x, b.Min.Y+y); !near(got, c) {
			t.Errorf("quarter %d is %v, want %v", i, got, c)
		}
	}
}

// exifBlock is a TIFF block that holds nothing but the orientation.
func exifBlock(order binary.AppendByteOrder, o int) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	b = append(order.AppendUint32(order.AppendUint16(order.AppendUint16(b, 0x010e), 2), 4), "abc\x00"...)
	b = order.AppendUint32(order.AppendUint16(order.AppendUint16(b, 0x0112), 3), 1)
	b = order.AppendUint16(order.AppendUint16(b, uint16(o)), 0)
	return order.AppendUint32(b, 0)
}

func withJPEGExif(data, block []byte) []byte {
	segment := append([]byte("Exif\x00\x00"), block...)
	app1 := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(segment)+2))
	return append(append(append([]byte{0xff, 0xd8}, app1...), segment...), data[2:]...)
}

func TestPrepareTurnsAllEightOrientationsUpright(t *testing.T) {
	// What the camera stored, given what is upright, follows from the EXIF standard: row 0
	// and column 0 of the stored picture are the named sides of the upright one.
	stored := map[int][4]color.RGBA{
		1: {red, green, blue, grey}, // row 0 top, column 0 left
		2: {green, red, grey, blue}, // top, right
		3: {grey, blue, green, red}, // bottom, right
		4: {blue, grey, red, green}, // bottom, left
		5: {red, blue, green, grey}, // left, top
		6: {green, grey, red, blue}, // right, top
		7: {grey, green, blue, red}, // right, bottom
		8: {blue, red, grey, green}, // left, bottom
	}
	l := newTestLoader(t, Options{LongSide: 64})
	for o, quarters := range stored {
		w, h := 160, 80
		if o >= 5 {
			w, h = h, w
		}
		img := goimage.NewRGBA(goimage.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				img.SetRGBA(x, y, quarters[2*(2*y/h)+2*x/w])
			}
		}
		for name, data := range map[string][]byte{
			"little": withJPEGExif(asJPEG(t, img), exifBlock(binary.LittleEndian, o)),
			"big":    withJPEGExif(asJPEG(t, img), exifBlock(binary.BigEndian, o)),
			"png":    withPNGExif(asPNG(t, img), exifBlock(binary.BigEndian, o)),
		} {
			t.Run(fmt.Sprint(o, name), func(t *testing.T) {
				got, err := l.Prepare(t.Context(), data)
				if err != nil {
					t.Fatal(err)
				}
				if got.Width != 64 || got.Height != 32 {
					t.Errorf("%d×%d, want 64×32", got.Width, got.Height)
				}
				wantCorners(t, decoded(t, got), [4]color.RGBA{red, green, blue, grey})
			})
		}
	}
}

// withPNGExif adds an eXIf chunk behind the header; nobody checks its sum.
func withPNGExif(data, block []byte) []byte {
	const headerEnd = 8 + 25
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(block))), "eXIf"...)
	chunk = append(append(chunk, block...), crc(append([]byte("eXIf"), block...))...)
	return append(append(append([]byte{}, data[:headerEnd]...), chunk...), data[headerEnd:]...)
}

func TestPrepareShrinksFlattensAndNeverEnlarges(t *testing.T) {
	l := newTestLoader(t, Options{})
	for _, c := range []struct{ w, h, wantW, wantH int }{
		{1792, 1000, 896, 500}, {1000, 1792, 500, 896}, {40, 30, 40, 30}, {896, 896, 896, 896}, {9000, 3, 896, 1}, {897, 5, 896, 5},
	} {
		got, err := l.Prepare(t.Context(), asPNG(t, corners(c.w, c.h)))
		if err != nil {
			t.Fatal(err)
		}
		if got.Width != c.wantW || got.Height != c.wantH {
			t.Errorf("%d×%d became %d×%d, want %d×%d", c.w, c.h, got.Width, got.Height, c.wantW, c.wantH)
		}
	}
	clear := goimage.NewNRGBA(goimage.Rect(0, 0, 100, 100)) // transparent black
	got, err := l.Prepare(t.Context(), asPNG(t, clear))
	if err != nil {
		t.Fatal(err)
	}
	if c := decoded(t, got).At(50, 50); !near(c, color.White) {
		t.Errorf("transparent became %v, want white", c)
	}
}

func TestShrinkIsTheExactAreaAverage(t *testing.T) {
	// 5×1 to 3×1: each result covers 5/3 of a source pixel.
	src := goimage.NewGray(goimage.Rect(0, 0, 5, 1))
	copy(src.Pix, []byte{0, 32, 60, 91, 255})
	got := shrink(src, 3)
	for x, want := range []float64{(0 + 32*2.0/3) * 3 / 5, (32/3.0 + 60 + 91/3.0) * 3 / 5, (91*2.0/3 + 255) * 3 / 5} {
		if v := float64(got.Pix[4*x]); v < want-0.5 || v > want+0.5 {
			t.Errorf("pixel %d is %v, want %.2f", x, v, want)
		}
	}
	// The same along y, over more rows than one band holds.
	tall := goimage.NewGray(goimage.Rect(0, 0, 1, 300))
	for y := range 300 {
		tall.Pix[y] = byte(y / 100 * 100)
	}
	got = shrink(tall, 3)
	for y := range 3 {
		if got.Pix[y*got.Stride] != byte(y*100) {
			t.Errorf("row %d is %d, want %d", y, got.Pix[y*got.Stride], y*100)
		}
	}
}

func TestPrepareTakesTheFirstFrameOfAnAnimation(t *testing.T) {
	anim := &gif.GIF{LoopCount: 0}
	for _, c := range []color.Color{red, green, blue} {
		frame := goimage.NewPaletted(goimage.Rect(0, 0, 40, 40), color.Palette{c, color.White})
		anim.Image, anim.Delay = append(anim.Image, frame), append(anim.Delay, 10)
	}
	var buf bytes.Buffer
	if err := gif.EncodeAll(&buf, anim); err != nil {
		t.Fatal(err)
	}
	got, err := newTestLoader(t, Options{}).Prepare(t.Context(), buf.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if c := decoded(t, got).At(20, 20); !near(c, red) {
		t.Errorf("the frame is %v, want red", c)
	}
}

// A 1×1 lossless WebP, as a still and as the only frame of an animation.
const tinyWebP = "RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"

func animatedWebP() []byte {
	still := tinyWebP[12:]
	anmf := string(make([]byte, 16)) + still // at 0,0, one pixel wide and high
	body := "WEBP" + "VP8X\x0a\x00\x00\x00\x02\x00\x00\x00" + string(make([]byte, 6)) + "ANIM\x06\x00\x00\x00" + string(make([]byte, 6)) +
		"ANMF" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(anmf)))) + anmf
	return []byte("RIFF" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + body)
}

func TestPrepareReadsWebPStillAndAnimated(t *testing.T) {
	l := newTestLoader(t, Options{})
	for name, data := range map[string][]byte{"still": []byte(tinyWebP), "animated": animatedWebP()} {
		got, err := l.Prepare(t.Context(), data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got.Width != 1 || got.Height != 1 {
			t.Errorf("%s: %d×%d", name, got.Width, got.Height)
		}
	}
}

// TestPrepareReadsInks decodes what Adobe's programs write for printers: inks are stored
// inverted, in YCCK behind a transform.
func TestPrepareReadsInks(t *testing.T) {
	l := newTestLoader(t, Options{})
	for name, c := range map[string]struct {
		stored    [4]byte
		transform byte
		want      color.RGBA
	}{
		"cyan":          {[4]byte{0, 255, 255, 255}, imagetest.AdobeCMYK, color.RGBA{0, 255, 255, 255}},
		"red":           {[4]byte{255, 0, 0, 255}, imagetest.AdobeCMYK, color.RGBA{255, 0, 0, 255}},
		"black ink":     {[4]byte{255, 255, 255, 40}, imagetest.AdobeCMYK, color.RGBA{40, 40, 40, 255}},
		"red as YCCK":   {[4]byte{179, 171, 1, 255}, imagetest.AdobeYCCK, color.RGBA{255, 0, 0, 255}},
		"black as YCCK": {[4]byte{0, 128, 128, 40}, imagetest.AdobeYCCK, color.RGBA{40, 40, 40, 255}},
	} {
		got, err := l.Prepare(t.Context(), imagetest.Printed(c.stored, c.transform))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if out := decoded(t, got); got.Width != 8 || got.Height != 8 || !near(out.At(4, 4), c.want) {
			t.Errorf("%s became %v in %d×%d, want %v", name, out.At(4, 4), got.Width, got.Height, c.want)
		}
	}
}

func TestPrepareIsDeterministic(t *testing.T) {
	l := newTestLoader(t, Options{LongSide: 100})
	data := asPNG(t, corners(333, 251))
	first, err := l.Prepare(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		again, err := l.Prepare(t.Context(), data)
		if err != nil || again.SHA256 != first.SHA256 {
			t.Fatalf("%s then %s (%v)", first.SHA256, again.SHA256, err)
		}
	}
	other := newTestLoader(t, Options{LongSide: 99})
	if changed, err := other.Prepare(t.Context(), data); err != nil || changed.SHA256 == first.SHA256 {
		t.Errorf("another size has the same hash (%v)", err)
	}
}

func TestPreparedPicturesAreReadBack(t *testing.T) {
	dir := t.TempDir()
	data := asPNG(t, corners(300, 200))
	prepare := func(opt Options) mllm.Image {
		t.Helper()
		opt.CacheDir = dir
		img, err := newTestLoader(t, opt).Prepare(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	first := prepare(Options{})
	files, _ := filepath.Glob(filepath.Join(dir, "prepared", "*", "*"))
	if len(files) != 1 {
		t.Fatalf("kept %v", files)
	}
	// Another picture in its place shows that it is read and not made again.
	other := prepare(Options{LongSide: 100})
	if other.Width != 100 {
		t.Fatalf("other options gave %d×%d", other.Width, other.Height)
	}
	rel, err := filepath.Rel(dir, files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := newTestLoader(t, Options{CacheDir: dir}).keepPrepared(rel, other); err != nil {
		t.Fatal(err)
	}
	if got := prepare(Options{}); got.SHA256 != other.SHA256 || !bytes.Equal(got.Data, other.Data) || got.Width != 100 || got.MIME != first.MIME {
		t.Errorf("the kept picture was not read: %d×%d", got.Width, got.Height)
	}
	kept, _ := os.ReadFile(files[0])
	for name, damage := range map[string][]byte{"torn": kept[:len(kept)-9], "no head": []byte("x"), "empty": nil} {
		if err := os.WriteFile(files[0], damage, 0o644); err != nil {
			t.Fatal(err)
		}
		if got := prepare(Options{}); got.SHA256 != first.SHA256 {
			t.Errorf("%s: not made again", name)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	l := newTestLoader(t, Options{CacheDir: filepath.Join(dir, "file")})
	if _, err := l.Prepare(t.Context(), data); !errors.Is(err, ErrCache) || KindOf(err) != "" {
		t.Errorf("a cache that cannot be written is no fault of the picture: %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, opt := range []Options{{LongSide: 1}, {Quality: 101}, {MaxBytes: -1}, {PerHost: -1}} {
		if _, err := NewLoader(opt); err == nil {
			t.Errorf("%+v was accepted", opt)
		}
	}
}

// BenchmarkPrepare prepares a photo of 12 megapixels, and reads it back from the cache.
func BenchmarkPrepare(b *testing.B) {
	data := asJPEG(b, corners(4000, 3000))
	for name, dir := range map[string]string{"anew": "", "kept": b.TempDir()} {
		l := newTestLoader(b, Options{CacheDir: dir})
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := l.Prepare(b.Context(), data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
