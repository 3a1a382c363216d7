package arrayfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxNPYHeader bounds the header. NumPy itself refuses to parse more than 10,000
// bytes; numeric 2-D arrays need 128.
const maxNPYHeader = 64 << 10

const npyMagic = "\x93NUMPY"

// npyHeader is what stands before the data of a .npy stream.
type npyHeader struct {
	descr   string
	fortran bool
	shape   []int64
	length  int64 // bytes before the data
}

// readNPYHeader parses magic, version (1.0, 2.0 or 3.0) and the header dictionary.
func readNPYHeader(r io.Reader) (npyHeader, error) {
	var h npyHeader
	pre := make([]byte, 8)
	if _, err := io.ReadFull(r, pre); err != nil {
		return h, torn("the .npy magic", err)
	}
	if string(pre[:6]) != npyMagic {
		return h, fmt.Errorf("not a .npy file: it begins with %q", pre[:6])
	}
	if pre[6] < 1 || pre[6] > 3 || pre[7] != 0 {
		return h, fmt.Errorf(".npy version %d.%d is unknown (1.0, 2.0 and 3.0 are read)", pre[6], pre[7])
	}
	width := 4
	if pre[6] == 1 {
		width = 2
	}
	lenBytes := make([]byte, 4)
	if _, err := io.ReadFull(r, lenBytes[:width]); err != nil {
		return h, torn("the .npy header length", err)
	}
	n := int64(binary.LittleEndian.Uint32(lenBytes))
	if n > maxNPYHeader {
		return h, fmt.Errorf("the .npy header claims %d bytes, more than the %d allowed", n, maxNPYHeader)
	}
	dict := make([]byte, n)
	if _, err := io.ReadFull(r, dict); err != nil {
		return h, torn("the .npy header", err)
	}
	h.length = int64(8+width) + n
	if err := parseNPYDict(string(dict), &h); err != nil {
		return h, fmt.Errorf(".npy header %.120q: %w", strings.TrimSpace(string(dict)), err)
	}
	return h, nil
}

// parseNPYDict parses the Python dictionary literal of a header, which has exactly
// the keys descr, fortran_order and shape.
func parseNPYDict(s string, h *npyHeader) error {
	p := &literal{s: s}
	if !p.take("{") {
		return errors.New("it is no dictionary")
	}
	seen := map[string]bool{}
	for !p.take("}") {
		key, err := p.str()
		if err != nil {
			return fmt.Errorf("key: %w", err)
		}
		if seen[key] {
			return fmt.Errorf("key %q twice", key)
		}
		seen[key] = true
		if !p.take(":") {
			return fmt.Errorf("no ':' after key %q", key)
		}
		switch key {
		case "descr":
			h.descr, err = p.str()
			if err != nil {
				err = errors.New("structured element types are not read")
			}
		case "fortran_order":
			h.fortran, err = p.boolean()
		case "shape":
			h.shape, err = p.tuple()
		default:
			err = errors.New("unknown key")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if !p.take(",") && !p.peek('}') {
			return fmt.Errorf("neither ',' nor '}' after %q", key)
		}
	}
	if p.space(); p.i != len(p.s) {
		return errors.New("text after the dictionary")
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			return fmt.Errorf("key %q is missing", key)
		}
	}
	return nil
}

// literal reads the few Python literals that NumPy writes.
type literal struct {
	s string
	i int
}

func (p *literal) space() {
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n\x00", p.s[p.i]) >= 0 {
		p.i++
	}
}

func (p *literal) take(token string) bool {
	p.space()
	if strings.HasPrefix(p.s[p.i:], token) {
		p.i += len(token)
		return true
	}
	return false
}

func (p *literal) peek(c byte) bool {
	p.space()
	return p.i < len(p.s) && p.s[p.i] == c
}

func (p *literal) str() (string, error) {
	for _, quote := range []string{"'", `"`} {
		if !p.take(quote) {
			continue
		}
		end := strings.IndexAny(p.s[p.i:], quote+"\\")
		if end < 0 || p.s[p.i+end] == '\\' {
			return "", errors.New("the string does not end or holds an escape")
		}
		v := p.s[p.i : p.i+end]
		p.i += end + 1
		return v, nil
	}
	return "", errors.New("no string")
}

func (p *literal) boolean() (bool, error) {
	switch {
	case p.take("True"):
		return true, nil
	case p.take("False"):
		return false, nil
	}
	return false, errors.New("neither True nor False")
}

func (p *literal) tuple() ([]int64, error) {
	if !p.take("(") {
		return nil, errors.New("no tuple")
	}
	dims := []int64{}
	for !p.take(")") {
		p.space()
		start := p.i
		for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
			p.i++
		}
		n, err := strconv.ParseInt(p.s[start:p.i], 10, 64)
		if err != nil {
			return nil, errors.New("a dimension is no number")
		}
		p.take("L") // Python 2 wrote long integers so
		if dims = append(dims, n); len(dims) > 32 {
			return nil, errors.New("more than 32 dimensions")
		}
		if !p.take(",") && !p.peek(')') {
			return nil, errors.New("neither ',' nor ')' after a dimension")
		}
	}
	return dims, nil
}

// torn words an early end of the file.
func torn(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the file ends within %s", what)
	}
	return fmt.Errorf("%s: %w", what, err)
}
