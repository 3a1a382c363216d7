// Package offline writes texts without a model. Its [Describer] measures the pixels of a
// picture and describes them in a sentence (in place of Eq. 1); its [Reasoner] extracts a
// preference from the words of a history (in place of Eq. 3–4). Both are deterministic, and
// their answers carry their names, so that no reader takes them for answers of a model.
package offline

import (
	"context"
	"fmt"
	"image"
	"strings"

	"github.com/mllmrec/mllmrec/internal/texts"
)

// DescriberModel is the model name of the offline describer's answers in the ledger.
const DescriberModel = "offline-pixels/1"

// Describer describes in one sentence what the pixels of a picture show: colours, layout,
// pattern, brightness, format.
type Describer struct{}

// ID is "offline-pixels/1".
func (Describer) ID() string { return DescriberModel }

// Describe reads a JPEG, PNG, GIF (first frame) or WebP. It uses the picture alone. Pictures over 64 MiB or 50 megapixels are refused before they are decoded.
func (Describer) Describe(ctx context.Context, r texts.DescribeRequest) (texts.Answer, error) {
	if err := ctx.Err(); err != nil {
		return texts.Answer{}, err
	}
	m, err := decode(r.Image.Data)
	if err != nil {
		return texts.Answer{}, fmt.Errorf("describe the picture of item %q: %w", r.Item.ID, err)
	}
	text, err := describeImage(m)
	if err != nil {
		return texts.Answer{}, fmt.Errorf("describe the picture of item %q: %w", r.Item.ID, err)
	}
	return texts.Answer{Text: text, Model: DescriberModel, ImageHash: r.Image.SHA256}, nil
}

// describeImage describes a decoded picture.
func describeImage(m image.Image) (string, error) {
	r, err := rasterise(m)
	if err != nil {
		return "", err
	}
	return measure(r).sentence(), nil
}

func (l look) sentence() string {
	var b strings.Builder
	b.WriteString("A ")
	if l.pattern != "" {
		b.WriteString(l.pattern + " ")
	}
	b.WriteString(and(l.colours))
	switch {
	case l.background == "":
		b.WriteString(" picture that fills the frame")
	case l.area < minSubject:
		b.Reset()
		b.WriteString("An empty " + l.background + " picture")
	default:
		b.WriteString(" subject, " + l.size() + " and " + l.place() + ", on a " + l.background + " background")
	}
	fmt.Fprintf(&b, "; %s, %s contrast, %s; %s.", l.brightness(), grade(l.contrast, 12, "low", 26, "medium", "high"),
		grade(l.chroma, 7, "colourless", 32, "muted", "vivid"), l.format())
	return b.String()
}

// grade names v by two bounds.
func grade(v, low float64, below string, high float64, between, above string) string {
	switch {
	case v < low:
		return below
	case v < high:
		return between
	}
	return above
}

func (l look) brightness() string {
	if l.light >= 80 {
		return "very bright"
	}
	return grade(l.light, 30, "dark", 55, "dim", "bright")
}

func (l look) size() string { return grade(l.area, 0.12, "small", 0.45, "medium-sized", "large") }

func (l look) place() string {
	horizontal := grade(l.cx, 0.4, "left", 0.6, "", "right")
	vertical := grade(l.cy, 0.4, "top", 0.6, "", "bottom")
	switch {
	case horizontal == "" && vertical == "":
		return "centred"
	case horizontal == "" || vertical == "":
		return "towards the " + horizontal + vertical
	}
	return "towards the " + vertical + " " + horizontal
}

func (l look) format() string { return grade(l.aspect, 0.87, "portrait", 1.15, "square", "landscape") }

func and(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
