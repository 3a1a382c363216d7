package amazon

import (
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/literal"
)

// item decodes the members found.
func (m *metadata) item(it *dataset.Item) error {
	var first [numKeys][]string
	for k, at := range m.at {
		if at < 0 || k == keyASIN || k == keyParent || k == keyRelated || k == keyAlsoBuy {
			continue
		}
		m.scan.Seek(at)
		var err error
		switch k {
		case keyDetails:
			first[k], err = m.brandOf()
		case keyImages:
			first[k], err = m.imagesOf()
		case keyCategories:
			first[k], err = m.path()
		default:
			first[k], err = m.texts()
		}
		if err != nil {
			return err
		}
	}
	it.Title = m.text(first[keyTitle])
	it.Brand = m.text(oneOf(first[keyBrand], first[keyStore], first[keyDetails]))
	for _, c := range oneOf(first[keyCategories], first[keyCategory], first[keyMainCategory], first[keyMainCat]) {
		if c = m.text([]string{c}); c != "" {
			it.Categories = append(it.Categories, c)
		}
	}
	it.Description = m.text(first[keyDescription])
	if urls := oneOf(first[keyImURL], first[keyImageHigh], first[keyImageURL], first[keyImages]); len(urls) > 0 {
		it.Image, _ = dataset.CleanText(strings.TrimSpace(urls[0]))
	}
	return nil
}

// text joins parts and makes them plain.
func (m *metadata) text(parts []string) string {
	s, dirty := plain(strings.Join(parts, " "))
	m.dirty = m.dirty || dirty
	return s
}

// oneOf returns the first list that holds any text.
func oneOf(lists ...[]string) []string {
	for _, l := range lists {
		for _, s := range l {
			if strings.TrimSpace(s) != "" {
				return l
			}
		}
	}
	return nil
}

// texts reads a string, or a list's strings; anything else counts as nothing.
func (m *metadata) texts() ([]string, error) {
	switch m.scan.Kind() {
	case literal.String:
		b, err := m.scan.String()
		return []string{string(b)}, err
	case literal.Array:
		var all []string
		err := m.scan.Array(func() error {
			if m.scan.Kind() != literal.String {
				return m.scan.Skip()
			}
			b, err := m.scan.String()
			all = append(all, string(b))
			return err
		})
		return all, err
	}
	return nil, m.scan.Skip()
}

// path reads categories: one list of names, or a list of such lists, of which the
// first is taken.
func (m *metadata) path() ([]string, error) {
	if m.scan.Kind() != literal.Array {
		return m.texts()
	}
	var flat, nested []string
	taken := false
	err := m.scan.Array(func() (err error) {
		switch m.scan.Kind() {
		case literal.String:
			var b []byte
			b, err = m.scan.String()
			flat = append(flat, string(b))
		case literal.Array:
			if taken {
				return m.scan.Skip()
			}
			taken = true
			nested, err = m.texts()
		default:
			return m.scan.Skip()
		}
		return err
	})
	if taken {
		return nested, err
	}
	return flat, err
}

// brandOf reads the brand among the details of 2023.
func (m *metadata) brandOf() ([]string, error) {
	if m.scan.Kind() != literal.Object {
		return nil, m.scan.Skip()
	}
	var brand []string
	err := m.scan.Object(func(key []byte) (err error) {
		if string(key) != "Brand" {
			return m.scan.Skip()
		}
		brand, err = m.texts()
		return err
	})
	return brand, err
}

// imagesOf reads one address among the pictures of 2023: the variant MAIN, else the
// first; of its sizes large (about 500 pixels, what a model is shown), else hi_res,
// else thumb.
func (m *metadata) imagesOf() ([]string, error) {
	if m.scan.Kind() != literal.Array {
		return nil, m.scan.Skip()
	}
	var best string
	bestMain := false
	err := m.scan.Array(func() error {
		if m.scan.Kind() == literal.String {
			b, err := m.scan.String()
			if best == "" {
				best = string(b)
			}
			return err
		}
		if m.scan.Kind() != literal.Object {
			return m.scan.Skip()
		}
		sizes := map[string]string{}
		err := m.scan.Object(func(key []byte) error {
			name := string(key)
			switch name {
			case "large", "hi_res", "thumb", "variant":
				t, err := m.texts()
				sizes[name] = strings.Join(t, " ")
				return err
			}
			return m.scan.Skip()
		})
		url := oneOf([]string{sizes["large"]}, []string{sizes["hi_res"]}, []string{sizes["thumb"]})
		main := sizes["variant"] == "MAIN"
		if len(url) > 0 && (best == "" || main && !bestMain) {
			best, bestMain = url[0], main
		}
		return err
	})
	return []string{best}, err
}
