package image

import (
	"bytes"
	"net/http"
	"strings"

	kinds "github.com/mllmrec/mllmrec/internal/file/sniff"
)

type format string

const (
	formatJPEG format = "jpeg"
	formatPNG  format = "png"
	formatGIF  format = "gif"
	formatWebP format = "webp"
)

// sniff returns the format by the first bytes. It distinguishes known formats that are not
// supported from files that are not pictures.
func sniff(data []byte) (format, error) {
	has := func(at int, magic string) bool {
		return len(data) >= at+len(magic) && string(data[at:at+len(magic)]) == magic
	}
	switch {
	case len(data) == 0:
		return "", fail(NotAnImage, "it is empty")
	case has(0, "\xff\xd8\xff"):
		return formatJPEG, nil
	case has(0, "\x89PNG\r\n\x1a\n"):
		return formatPNG, nil
	case has(0, "GIF87a"), has(0, "GIF89a"):
		return formatGIF, nil
	case has(0, "RIFF") && has(8, "WEBP"):
		return formatWebP, nil
	case has(4, "ftyp"):
		return "", fail(Unsupported, "AVIF, HEIC and other ISO media files are not read; convert it to JPEG, PNG, GIF or WebP")
	case has(0, "II*\x00"), has(0, "MM\x00*"):
		return "", fail(Unsupported, "TIFF is not read; convert it to JPEG, PNG, GIF or WebP")
	case has(0, "BM") && strings.HasPrefix(http.DetectContentType(data), "image/"):
		return "", fail(Unsupported, "BMP is not read; convert it to JPEG, PNG, GIF or WebP")
	case has(0, "\xff\x0a"), has(0, "\x00\x00\x00\x0cJXL "):
		return "", fail(Unsupported, "JPEG XL is not read; convert it to JPEG, PNG, GIF or WebP")
	case bytes.Contains(data[:min(len(data), 512)], []byte("<svg")):
		return "", fail(Unsupported, "SVG is not read; convert it to JPEG, PNG, GIF or WebP")
	}
	if found, ok := kinds.Kind(data[:min(len(data), kinds.Length)]); ok {
		return "", fail(NotAnImage, "it is %s", found.What)
	}
	return "", fail(NotAnImage, "its content is %s", http.DetectContentType(data))
}
