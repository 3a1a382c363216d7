package tables

import (
	"encoding/base64"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/mllmrec/mllmrec/dataset/internal/source"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// pictureNames are the members of an object that say where its picture is, the best
// first, and the picture itself.
var (
	addressNames = []string{"path", "url", "uri", "src", "href", "large", "hi_res", "thumb"}
	pictureNames = append(append([]string{}, addressNames...), pictureBytes)
)

const pictureBytes = "bytes"

// maxEmbedded bounds the pictures that stand in a table, in bytes: the catalogue is held in
// memory.
const maxEmbedded = 256 << 20

// bytesBeside returns the column of the bytes of the picture whose address is in the
// column image; "" = there is none.
func bytesBeside(columns []string, image string) string {
	group, member, ok := cutLast(image)
	if !ok || member == pictureBytes {
		return ""
	}
	if m := firstOf(membersOf(columns, group), []string{pictureBytes}); m != "" {
		return group + "." + m
	}
	return ""
}

func cutLast(name string) (group, member string, ok bool) {
	at := strings.LastIndexByte(name, '.')
	if at < 0 {
		return "", name, false
	}
	return name[:at], name[at+1:], true
}

// picture returns where a picture is: the picture itself as a data URI where the table
// holds it, else its address, relative paths made absolute.
func (r *itemReader) picture(address, content *cell) (string, error) {
	if content.kind == single && len(content.text) > 0 {
		return r.embed(content.text, content.at, r.names[itemPicture])
	}
	name := r.names[itemImage]
	text := ""
	switch address.kind {
	case multiple:
		for _, s := range address.list {
			if text == "" && !missing(s) {
				text = s
			}
		}
	case grouped:
		for _, o := range address.objects {
			if raw, ok := o.of(pictureBytes); ok {
				b, err := base64.StdEncoding.DecodeString(raw)
				if err != nil {
					return "", source.Bad(address.at, "%s: the member bytes is not base64", name)
				}
				return r.embed(b, address.at, name)
			}
			if s, ok := o.of(addressNames...); ok {
				text = s
				break
			}
			for _, m := range o {
				if len(m.values) > 0 {
					return "", source.Bad(address.at, "%s: an object of %s, of which none is known to be a picture%s", name, quoteAll(o.names()), someMember(address, name))
				}
			}
		}
	case single:
		if isPicture(address.text) {
			return r.embed(address.text, address.at, name)
		}
		if !address.void() {
			text = string(address.text)
		}
	}
	if text = r.clean(text); text == "" || strings.Contains(text, "://") || strings.HasPrefix(text, "data:") || filepath.IsAbs(text) {
		return text, nil
	}
	return filepath.Join(r.imageDir, filepath.FromSlash(text)), nil
}

// embed makes a data URI of a picture.
func (r *itemReader) embed(picture []byte, at int, name string) (string, error) {
	if !isPicture(picture) {
		return "", source.Bad(at, "%s: %d bytes that are no PNG, JPEG, GIF or WebP picture", name, len(picture))
	}
	if r.embedded += len(picture); r.embedded > maxEmbedded {
		return "", usererr.New("Write the pictures to files, and their paths into the table.", "the pictures in %s have more than %d MiB", r.opt.Items, maxEmbedded>>20)
	}
	return "data:" + http.DetectContentType(picture) + ";base64," + base64.StdEncoding.EncodeToString(picture), nil
}

// isPicture reports whether bytes begin as a picture does.
func isPicture(b []byte) bool {
	switch http.DetectContentType(b) {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		return true
	}
	return false
}
