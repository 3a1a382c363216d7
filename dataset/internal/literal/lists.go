package literal

// Strings reads a list and returns its elements as texts: strings decoded, numbers and words
// as written, words that stand for nothing left out. A list or an object in it is an error.
func (s *Scanner) Strings() ([]string, error) {
	list := []string{}
	err := s.Array(func() error {
		text, ok, err := s.Text()
		if ok {
			list = append(list, text)
		}
		return err
	})
	return list, err
}

// Text reads a string, a number or a word as text. ok is false for a word that stands for
// nothing: null, None, NaN. A list or an object is an error.
func (s *Scanner) Text() (text string, ok bool, err error) {
	switch s.Kind() {
	case String:
		b, err := s.String()
		return string(b), err == nil, err
	case Number:
		b, err := s.Number()
		return string(b), err == nil, err
	case Word:
		w, err := s.Word()
		return w, err == nil && w != "null" && w != "None" && w != "NaN" && w != "nan", err
	}
	return "", false, s.unexpected("a text or a number")
}
