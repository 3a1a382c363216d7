package amazon

import (
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/literal"
	"github.com/mllmrec/mllmrec/dataset/internal/money"
)

// item decodes the members found.
func (m *metadata) item(it *dataset.Item) error {
	var first [numKeys][]string
	for k, at := range m.at {
		if at < 0 || k == keyASIN || k == keyParent || k == keyRelated || k == keyAlsoBuy || k == keyReviewer {
			continue
		}
		m.scan.Seek(at)
		var err error
		switch k {
		case keyDetails:
			err = inside(&m.scan, func(s *literal.Scanner) (err error) {
				first[k], err = brandOf(s)
				return err
			})
		case keyImages:
			err = inside(&m.scan, func(s *literal.Scanner) (err error) {
				first[k], err = imagesOf(s)
				return err
			})
		case keyPrice:
			first[k], err = numberOf(&m.scan)
		case keyCategories:
			first[k], err = pathOf(&m.scan)
		default:
			first[k], err = textsOf(&m.scan)
		}
		if err != nil {
			return err
		}
	}
	it.Title = m.text(first[keyTitle], isScript)
	it.Brand = m.text(brandAlone(oneOf(first[keyBrand], first[keyStore], first[keyDetails])), isScript)
	for _, c := range oneOf(first[keyCategories], first[keyCategory], first[keyMainCategory], first[keyMainCat]) {
		if c = m.text([]string{c}, isScript); c != "" {
			it.Categories = append(it.Categories, c)
		}
	}
	it.Description = m.text(first[keyDescription], isScriptAlone)
	it.Price = m.price(first[keyPrice])
	for _, url := range oneOf(first[keyImURL], first[keyImageHigh], first[keyImageURL], first[keyImages], first[keyImage]) {
		if !void(url) {
			it.Image, _ = dataset.CleanText(strings.TrimSpace(url))
			break
		}
	}
	return nil
}

// price reads a price; 0 where there is none.
func (m *metadata) price(texts []string) float64 {
	if len(texts) == 0 || void(texts[0]) {
		return 0
	}
	p, ok := money.Parse(texts[0])
	if !ok {
		m.unpriced++
		return 0
	}
	return p
}

// text joins parts, without those that are page script, and makes them plain.
func (m *metadata) text(parts []string, script func(string) bool) string {
	var kept []string
	for _, p := range parts {
		switch {
		case void(p):
			continue
		case script(p):
			m.scripts++
			continue
		}
		kept = append(kept, p)
	}
	s, dirty := plain(strings.Join(kept, " "))
	m.dirty = m.dirty || dirty
	return s
}

// oneOf returns the first list that holds any text.
func oneOf(lists ...[]string) []string {
	for _, l := range lists {
		if slices.ContainsFunc(l, func(s string) bool { return !void(s) }) {
			return l
		}
	}
	return nil
}

// void reports whether a text is empty, or what loaders write in the place of none.
func void(s string) bool {
	switch strings.TrimSpace(s) {
	case "", "None", "null", "nan", "NaN":
		return true
	}
	return false
}

// inside hands over a scanner of the value: of what a text says, where the value is a text
// that is written as an object or a list, as it is after a way through a table.
func inside(s *literal.Scanner, read func(*literal.Scanner) error) error {
	if s.Kind() != literal.String {
		return read(s)
	}
	at := s.Offset()
	b, err := s.String()
	if err != nil {
		return err
	}
	text := strings.TrimSpace(string(b))
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		s.Seek(at)
		return read(s)
	}
	for _, d := range []literal.Dialect{literal.JSON, literal.Python} {
		var inner literal.Scanner
		inner.Reset([]byte(text), d)
		if inner.Skip() == nil && inner.End() == nil {
			inner.Reset([]byte(text), d)
			return read(&inner)
		}
	}
	return nil // it only looks like one: nothing is known from it
}

// textsOf reads a string, or a list's strings; anything else counts as nothing.
func textsOf(s *literal.Scanner) ([]string, error) {
	all, err := placesOf(s)
	return slices.DeleteFunc(all, func(t string) bool { return t == "" }), err
}

// numberOf reads a number as it is written, or what else there is as textsOf does.
func numberOf(s *literal.Scanner) ([]string, error) {
	if s.Kind() != literal.Number {
		return textsOf(s)
	}
	b, err := s.Number()
	return []string{string(b)}, err
}

// placesOf reads a string, or a list's strings, of which those that are none are empty.
func placesOf(s *literal.Scanner) ([]string, error) {
	switch s.Kind() {
	case literal.String:
		b, err := s.String()
		return []string{string(b)}, err
	case literal.Array:
		var all []string
		err := s.Array(func() error {
			if s.Kind() != literal.String {
				all = append(all, "")
				return s.Skip()
			}
			b, err := s.String()
			all = append(all, string(b))
			return err
		})
		return all, err
	}
	return nil, s.Skip()
}

// pathOf reads categories: one list of names, or a list of such lists, of which the
// first is taken.
func pathOf(s *literal.Scanner) ([]string, error) {
	if s.Kind() != literal.Array {
		return textsOf(s)
	}
	var flat, nested []string
	taken := false
	err := s.Array(func() (err error) {
		switch s.Kind() {
		case literal.String:
			var b []byte
			b, err = s.String()
			flat = append(flat, string(b))
		case literal.Array:
			if taken {
				return s.Skip()
			}
			taken = true
			nested, err = textsOf(s)
		default:
			return s.Skip()
		}
		return err
	})
	if taken {
		return nested, err
	}
	return flat, err
}

// brandOf reads the brand among the details of 2023.
func brandOf(s *literal.Scanner) ([]string, error) {
	if s.Kind() != literal.Object {
		return nil, s.Skip()
	}
	var brand []string
	err := s.Object(func(key []byte) (err error) {
		if string(key) != "Brand" {
			return s.Skip()
		}
		brand, err = textsOf(s)
		return err
	})
	return brand, err
}

// picture is one picture of 2023: its addresses by size, and which view it is.
type picture map[string]string

var pictureMembers = []string{"large", "hi_res", "thumb", "variant"}

// address is that of the size large (about 500 pixels, what a model is shown), else
// hi_res, else thumb; "" = none.
func (p picture) address() string {
	for _, size := range pictureMembers[:3] {
		if !void(p[size]) {
			return p[size]
		}
	}
	return ""
}

// imagesOf reads one address among the pictures of 2023: the variant MAIN, else the
// first. They are a list of objects or addresses, or an object of lists.
func imagesOf(s *literal.Scanner) ([]string, error) {
	var all []picture
	var err error
	switch s.Kind() {
	case literal.Array:
		err = s.Array(func() error {
			switch s.Kind() {
			case literal.String:
				b, err := s.String()
				all = append(all, picture{"large": string(b)})
				return err
			case literal.Object:
				p := picture{}
				all = append(all, p)
				return members(s, func(name string, places []string) { p[name] = strings.Join(places, " ") })
			}
			return s.Skip()
		})
	case literal.Object:
		err = members(s, func(name string, places []string) {
			for i, place := range places {
				if i == len(all) {
					all = append(all, picture{})
				}
				all[i][name] = place
			}
		})
	case literal.String:
		return textsOf(s)
	default:
		return nil, s.Skip()
	}
	best := ""
	for _, p := range all {
		if url := p.address(); url != "" && p["variant"] == "MAIN" {
			return []string{url}, err
		} else if best == "" {
			best = url
		}
	}
	return []string{best}, err
}

// members reads the members of pictures that an object has.
func members(s *literal.Scanner, fn func(name string, places []string)) error {
	return s.Object(func(key []byte) error {
		name := string(key)
		if !slices.Contains(pictureMembers, name) {
			return s.Skip()
		}
		places, err := placesOf(s)
		fn(name, places)
		return err
	})
}
