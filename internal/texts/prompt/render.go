package prompt

import (
	"fmt"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
)

// anyDomain is the domain of prompts when none is named.
const anyDomain = "products"

const (
	noText      = "(no text)"
	domainRunes = 80
	leastRunes  = 20 // a shorter beginning of a text is not shown
)

// variables are what templates can show. variablesOf lists those that a kind has.
type variables struct {
	Domain   string // what the shop sells
	Words    int    // limit of the answer
	Item     block  // fenced: the item's metadata
	Items    block  // fenced: items in time order
	Previous block  // fenced: the conclusion so far
	Count    int    // of the items shown
	Total    int    // of the items in the history
	Before   int    // how many items the conclusion so far covers
	First    int    // number of the first item shown, from 1
	Last     int    // number of the last item shown

	mark string // of the fences
}

// Describe renders the prompt that asks for the description of an item's picture. Without a
// picture the messages are the same.
func (s *Set) Describe(r texts.DescribeRequest, o Options) (Prompt, error) {
	o, err := o.WithDefaults()
	if err != nil {
		return Prompt{}, err
	}
	data := itemLines(r.Item, o.ItemRunes)
	m := mark(data)
	v := variables{mark: m, Domain: domain(r.Domain), Words: o.Words,
		Item: fence("Item", "product", "the shop's text about the product", m, data)}
	p, err := s.render(Describe, v)
	if err != nil {
		return Prompt{}, fmt.Errorf("prompt for item %q: %w", r.Item.ID, err)
	}
	if len(r.Image.Data) > 0 {
		p.Images = []mllm.Image{r.Image}
	}
	return p, nil
}

// Preference renders the prompt that asks for a preference from items [0, end) of the
// history; end is usually its length.
func (s *Set) Preference(r texts.ReasonRequest, end int, o Options) (Prompt, error) {
	return s.items(Preference, r, "", 0, end, o)
}

// Latest renders the prompt that asks for a preference from items [begin, len) of the
// history, without mentioning the others.
func (s *Set) Latest(r texts.ReasonRequest, begin int, o Options) (Prompt, error) {
	if begin < 0 || begin >= len(r.Items) {
		return Prompt{}, fmt.Errorf("prompt for user %q: no items from position %d of %d", r.User, begin, len(r.Items))
	}
	r.Items = r.Items[begin:]
	return s.items(Preference, r, "", 0, len(r.Items), o)
}

// Continue renders the prompt that asks for a preference from the conclusion drawn from
// the items before begin and items [begin, end).
func (s *Set) Continue(r texts.ReasonRequest, previous string, begin, end int, o Options) (Prompt, error) {
	return s.items(Continue, r, previous, begin, end, o)
}

func (s *Set) items(kind Kind, r texts.ReasonRequest, previous string, begin, end int, o Options) (Prompt, error) {
	o, err := o.WithDefaults()
	if err != nil {
		return Prompt{}, err
	}
	if begin < 0 || begin >= end || end > len(r.Items) {
		return Prompt{}, fmt.Errorf("prompt for user %q: no items from position %d to %d of %d", r.User, begin, end, len(r.Items))
	}
	var b strings.Builder
	for i := begin; i < end; i++ {
		if i > begin {
			b.WriteByte('\n')
		}
		b.WriteString(HistoryLine(r.Items[i], i+1, o))
	}
	items, conclusion := b.String(), tame(previous, o.ItemRunes+o.ImageRunes)
	m := mark(items, conclusion)
	v := variables{mark: m, Domain: domain(r.Domain), Words: o.Words, Count: end - begin, Total: len(r.Items), Before: begin, First: begin + 1, Last: end,
		Items: fence("Items", "items", "the shop's text about the items", m, items)}
	if kind == Continue {
		v.Previous = fence("Previous", "conclusion", "the earlier conclusion", m, conclusion)
	}
	p, err := s.render(kind, v)
	if err != nil {
		return Prompt{}, fmt.Errorf("prompt for user %q: %w", r.User, err)
	}
	p.Conclusion = conclusion
	return p, nil
}

// HistoryLine is one item of a history as prompts show it: its number, its metadata and the
// description of its picture. Each of the two has a limit of its own, so that long metadata
// does not displace the picture. It has one or two lines.
func HistoryLine(h texts.HistoryItem, number int, o Options) string {
	text, picture := tame(h.Item.Text(), o.ItemRunes), tame(h.ImageText, o.ImageRunes)
	line := fmt.Sprintf("%d. ", number)
	switch {
	case text == "" && picture == "":
		return line + noText
	case picture == "":
		return line + text
	case text == "":
		return line + "Picture: " + picture
	}
	return line + text + "\n   Picture: " + picture
}

// itemLines shows an item's metadata, each field with its name, in at most limit characters
// together. The description comes last and is cut first.
func itemLines(item dataset.Item, limit int) string {
	var lines []string
	for _, f := range []struct{ name, text string }{
		{"Title", item.Title}, {"Brand", item.Brand},
		{"Category", strings.Join(item.Categories, " / ")}, {"Description", item.Description},
	} {
		if limit < leastRunes {
			break
		}
		if text := tame(f.text, limit); text != "" {
			lines = append(lines, f.name+": "+text)
			limit -= len([]rune(text))
		}
	}
	if lines == nil {
		return noText
	}
	return strings.Join(lines, "\n")
}

func domain(name string) string {
	if name = tame(name, domainRunes); name == "" {
		return anyDomain
	}
	return name
}
