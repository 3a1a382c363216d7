package image

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/mllm/image/imagetest"
)

func TestPrepareRefusesWhatItMust(t *testing.T) {
	l := newTestLoader(t, Options{MaxBytes: 1 << 20})
	photo := asJPEG(t, corners(300, 200))
	huge := bytes.Clone(photo) // 100 megapixels by its header
	sof := bytes.Index(huge, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(huge[sof+5:], 10000)
	binary.BigEndian.PutUint16(huge[sof+7:], 10000)
	bomb := asPNG(t, corners(4, 4))
	binary.BigEndian.PutUint32(bomb[16:], 1<<15)
	binary.BigEndian.PutUint32(bomb[20:], 1<<15)
	copy(bomb[29:], crc(bomb[12:29]))
	for name, c := range map[string]struct {
		data []byte
		want Kind
	}{
		"text named .jpg":    {[]byte("this is no picture at all"), NotAnImage},
		"html":               {[]byte("<!DOCTYPE html><html>not found</html>"), NotAnImage},
		"empty":              {nil, NotAnImage},
		"svg":                {[]byte(`<?xml version="1.0"?><svg xmlns="x"/>`), Unsupported},
		"avif":               {[]byte("\x00\x00\x00\x1cftypavif\x00\x00\x00\x00"), Unsupported},
		"100-megapixel jpeg": {huge, TooManyPixels},
		"png bomb":           {bomb, TooManyPixels},
		"truncated png":      {asPNG(t, corners(300, 200))[:600], Corrupt},
		"truncated jpeg":     {photo[:len(photo)/2], Corrupt},
		"jpeg header only":   {photo[:20], Corrupt},
		"gif header only":    {[]byte("GIF89a"), Corrupt},
		"webp header only":   {[]byte("RIFF\x00\x00\x00\x00WEBP"), Corrupt},
		"too many bytes":     {append(bytes.Clone(photo), make([]byte, 1<<20)...), TooLarge},
		"lying webp":         {[]byte("RIFF\x1a\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff"), Corrupt},
		"webp of 16k by 16k": {[]byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\xff\xff\xff\x0f\x07\x10\x11\x11\x88\x88\xfe\x07\x00"), TooManyPixels},
		"gif of 64k by 64k":  {[]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00"), TooManyPixels},
		"arithmetic jpeg":    {bytes.Replace(photo, []byte{0xff, 0xc0}, []byte{0xff, 0xc9}, 1), Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := l.Prepare(t.Context(), c.data)
			runtime.ReadMemStats(&after)
			if KindOf(err) != c.want {
				t.Errorf("kind %q, want %q: %v", KindOf(err), c.want, err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
				t.Errorf("refusing it took %d MiB", used>>20)
			}
		})
	}
}

func FuzzPrepare(f *testing.F) {
	f.Add([]byte(tinyWebP))
	f.Add(animatedWebP())
	f.Add(imagetest.Printed([4]byte{0, 255, 255, 40}, imagetest.AdobeCMYK))
	f.Add(asPNG(f, corners(4, 4)))
	f.Add(withJPEGExif(asJPEG(f, corners(8, 8)), exifBlock(binary.LittleEndian, 6)))
	f.Add([]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"))
	l := newTestLoader(f, Options{LongSide: 32, MaxPixels: 1 << 20})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := l.Prepare(t.Context(), data)
		if err != nil {
			if KindOf(err) == "" || strings.Contains(err.Error(), "gave up") {
				t.Fatalf("not a typed failure, or a panic inside: %v", err)
			}
			return
		}
		if max(got.Width, got.Height) > 32 || len(got.Data) == 0 {
			t.Fatalf("prepared to %d×%d", got.Width, got.Height)
		}
	})
}

func FuzzOrientation(f *testing.F) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		f.Add(exifBlock(order, 6))
	}
	f.Fuzz(func(t *testing.T, block []byte) {
		for _, data := range [][]byte{block, withJPEGExif([]byte{0xff, 0xd8, 0xff, 0xda}, block[:min(len(block), 60000)])} {
			for _, form := range []format{formatJPEG, formatPNG, formatWebP} {
				if o := orientation(data, form); o < 1 || o > 8 {
					t.Fatalf("orientation %d", o)
				}
			}
		}
		if o := tiffOrientation(block); o < 1 || o > 8 {
			t.Fatalf("orientation %d", o)
		}
		firstFrame(append([]byte("RIFF\x00\x00\x00\x00WEBP"), block...))
	})
}

// What lies in a picture's place is called by its name.
func TestPointersAreNamed(t *testing.T) {
	_, err := sniff([]byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"))
	if KindOf(err) != NotAnImage || !strings.Contains(err.Error(), "Git LFS pointer") {
		t.Errorf("%v", err)
	}
}
