package literal

// Strings reads a list and returns its elements as texts: strings decoded, numbers and words
// as written. A list or an object in it is an error.
func (s *Scanner) Strings() ([]string, error) {
	list := []string{}
	err := s.Array(func() error {
		switch s.Kind() {
		case String:
			b, err := s.String()
			list = append(list, string(b))
			return err
		case Number:
			b, err := s.Number()
			list = append(list, string(b))
			return err
		case Word:
			w, err := s.Word()
			list = append(list, w)
			return err
		}
		return s.unexpected("a text or a number")
	})
	return list, err
}
