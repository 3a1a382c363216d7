package arrayfile

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/file/plainfile"
)

const safetensorsHint = "The file must be a .safetensors file with F32, F16, BF16 or F64 tensors; fetch or write it again."

// maxSafetensorsHeader is the format's own limit.
const maxSafetensorsHeader = 100_000_000

// metadataKey holds a map of strings in place of a tensor.
const metadataKey = "__metadata__"

// Tensor is a dense float32 array in C order; an empty Shape is a scalar.
type Tensor struct {
	Shape []int
	Data  []float32
}

// TensorInfo is what a safetensors header says of one tensor.
type TensorInfo struct {
	Name  string
	DType string
	Shape []int
	Begin int64 // byte offsets behind the header
	End   int64
}

var safetensorsElems = map[string]elem{
	"F32":  {"F32", 4, decodeF32(binary.LittleEndian)},
	"F64":  {"F64", 8, decodeF64(binary.LittleEndian)},
	"F16":  {"F16", 2, decode16(binary.LittleEndian, halfToFloat)},
	"BF16": {"BF16", 2, decode16(binary.LittleEndian, bfloatToFloat)},
}

// safetensorsWidths are the bytes an element of the types that we step over: a file
// may hold them (token ids, masks) beside the floats.
var safetensorsWidths = map[string]int64{
	"F32": 4, "F64": 8, "F16": 2, "BF16": 2,
	"BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "U32": 4, "I32": 4, "U64": 8, "I64": 8,
	"F8_E5M2": 1, "F8_E4M3": 1,
}

// ReadSafetensors reads all float tensors of a file as float32, and its metadata.
// Tensors of integer and boolean types are stepped over. NaN and infinities are kept.
func ReadSafetensors(path string) (tensors map[string]Tensor, metadata map[string]string, err error) {
	f, err := plainfile.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return SafetensorsOf(f)
}

// SafetensorsOf is [ReadSafetensors] for a file that is open.
func SafetensorsOf(f *os.File) (tensors map[string]Tensor, metadata map[string]string, err error) {
	err = within(f, safetensorsHint, func(r io.ReaderAt, size int64) error {
		tensors, metadata, err = DecodeSafetensors(r, size)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return tensors, metadata, nil
}

// StatSafetensors returns a file's tensors in the order of their bytes, and its
// metadata, without reading the data.
func StatSafetensors(path string) (infos []TensorInfo, metadata map[string]string, err error) {
	f, err := plainfile.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	err = within(f, safetensorsHint, func(r io.ReaderAt, size int64) error {
		infos, metadata, _, err = readSafetensorsHeader(r, size)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return infos, metadata, nil
}

// DecodeSafetensors reads a safetensors stream of size bytes.
func DecodeSafetensors(r io.ReaderAt, size int64) (map[string]Tensor, map[string]string, error) {
	infos, metadata, base, err := readSafetensorsHeader(r, size)
	if err != nil {
		return nil, nil, err
	}
	tensors := make(map[string]Tensor, len(infos))
	for _, t := range infos {
		e, ok := safetensorsElems[t.DType]
		if !ok {
			continue
		}
		data, err := readElems(r, base+t.Begin, t.End-t.Begin, e)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		tensors[t.Name] = Tensor{Shape: t.Shape, Data: data}
	}
	return tensors, metadata, nil
}

func readElems(r io.ReaderAt, at, bytes int64, e elem) ([]float32, error) {
	out := make([]float32, bytes/int64(e.width))
	chunk := min(len(out), 64<<10)
	buf := e.buffer(chunk)
	for dst := out; len(dst) > 0; {
		n := min(chunk, len(dst))
		raw, err := e.readRun(r, dst[:n], at, buf)
		if err != nil {
			return nil, err
		}
		dst, at = dst[n:], at+int64(len(raw))
	}
	return out, nil
}

// readSafetensorsHeader returns the tensors sorted by offset and where the data begin.
func readSafetensorsHeader(r io.ReaderAt, size int64) ([]TensorInfo, map[string]string, int64, error) {
	var lenBytes [8]byte
	if size < int64(len(lenBytes)) {
		return nil, nil, 0, errors.New("the file ends within the header length")
	}
	if _, err := r.ReadAt(lenBytes[:], 0); err != nil {
		return nil, nil, 0, torn("the header length", err)
	}
	n := binary.LittleEndian.Uint64(lenBytes[:])
	if n > maxSafetensorsHeader {
		return nil, nil, 0, fmt.Errorf("the header claims %d bytes, more than the format's %d", n, maxSafetensorsHeader)
	}
	base := 8 + int64(n)
	if base > size {
		return nil, nil, 0, fmt.Errorf("the header claims %d bytes, the file has %d", n, size)
	}
	raw := make([]byte, n)
	if _, err := r.ReadAt(raw, 8); err != nil && n > 0 {
		return nil, nil, 0, torn("the header", err)
	}
	infos, metadata, err := parseSafetensorsHeader(raw)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("header: %w", err)
	}
	if err := checkTensors(infos, size-base); err != nil {
		return nil, nil, 0, err
	}
	return infos, metadata, base, nil
}

// parseSafetensorsHeader walks the tokens itself: decoding into a map would hide a
// name that stands there twice.
func parseSafetensorsHeader(raw []byte) ([]TensorInfo, map[string]string, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, nil, errors.New("it does not begin with '{'")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil, nil, err
	}
	var infos []TensorInfo
	var metadata map[string]string
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		name, ok := token.(string)
		if !ok || seen[name] {
			return nil, nil, fmt.Errorf("tensor %q stands there twice", name)
		}
		seen[name] = true
		if name == metadataKey {
			if err := d.Decode(&metadata); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", metadataKey, err)
			}
			continue
		}
		info, err := parseTensorInfo(d, name)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		infos = append(infos, info)
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, err
	}
	if rest := bytes.TrimLeft(raw[d.InputOffset():], " \t\r\n\x00"); len(rest) > 0 {
		return nil, nil, errors.New("text after the last brace")
	}
	return infos, metadata, nil
}

func parseTensorInfo(d *json.Decoder, name string) (TensorInfo, error) {
	var t struct {
		DType   *string  `json:"dtype"`
		Shape   *[]int   `json:"shape"`
		Offsets *[]int64 `json:"data_offsets"`
	}
	if err := d.Decode(&t); err != nil {
		return TensorInfo{}, err
	}
	if t.DType == nil || t.Shape == nil || t.Offsets == nil || len(*t.Offsets) != 2 {
		return TensorInfo{}, errors.New("dtype, shape or data_offsets (begin, end) is missing")
	}
	return TensorInfo{Name: name, DType: *t.DType, Shape: *t.Shape, Begin: (*t.Offsets)[0], End: (*t.Offsets)[1]}, nil
}

// checkTensors sorts by offset and demands that the tensors tile the data exactly.
func checkTensors(infos []TensorInfo, payload int64) error {
	slices.SortFunc(infos, func(a, b TensorInfo) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End), cmp.Compare(a.Name, b.Name))
	})
	at := int64(0)
	for _, t := range infos {
		switch {
		case t.Begin > at:
			return fmt.Errorf("tensor %q: a gap of %d bytes before it", t.Name, t.Begin-at)
		case t.Begin < at:
			return fmt.Errorf("tensor %q: it begins at byte %d, inside the %d already taken", t.Name, t.Begin, at)
		case t.End < t.Begin || t.End > payload:
			return fmt.Errorf("tensor %q: it ends at byte %d of %d; the file is cut off or its header lies", t.Name, t.End, payload)
		}
		width, known := safetensorsWidths[t.DType]
		if !known {
			return fmt.Errorf("tensor %q: element type %q is unknown", t.Name, t.DType)
		}
		dims := []int64{width}
		for _, d := range t.Shape {
			dims = append(dims, int64(d))
		}
		if n, ok := mulFits(math.MaxInt64, dims...); !ok || n != t.End-t.Begin {
			return fmt.Errorf("tensor %q: shape %v of %s does not fill its %d bytes", t.Name, t.Shape, t.DType, t.End-t.Begin)
		}
		at = t.End
	}
	if at != payload {
		return fmt.Errorf("%d bytes follow the last tensor", payload-at)
	}
	return nil
}

// WriteSafetensors writes the tensors as F32 sorted by name, atomically.
func WriteSafetensors(path string, tensors map[string]Tensor, metadata map[string]string) error {
	return atomicfile.Write(path, func(w io.Writer) error { return EncodeSafetensors(w, tensors, metadata) })
}

// EncodeSafetensors writes a safetensors stream; equal input gives equal bytes.
func EncodeSafetensors(w io.Writer, tensors map[string]Tensor, metadata map[string]string) error {
	names := slices.Sorted(maps.Keys(tensors))
	header, err := safetensorsHeader(names, tensors, metadata)
	if err != nil {
		return err
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))); err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, name := range names {
		if err := writeF32(w, tensors[name].Data); err != nil {
			return err
		}
	}
	return nil
}

// safetensorsHeader is the JSON before the data, padded with spaces so that the data
// begin at a multiple of 8.
func safetensorsHeader(names []string, tensors map[string]Tensor, metadata map[string]string) ([]byte, error) {
	type entry struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	type member struct {
		key   string
		value any
	}
	var entries []member
	add := func(key string, value any) { entries = append(entries, member{key, value}) }
	if len(metadata) > 0 {
		add(metadataKey, metadata)
	}
	at := int64(0)
	for _, name := range names {
		t := tensors[name]
		dims := []int64{1}
		for _, d := range t.Shape {
			dims = append(dims, int64(d))
		}
		if n, ok := mulFits(math.MaxInt64/4, dims...); !ok || n != int64(len(t.Data)) || name == metadataKey {
			return nil, fmt.Errorf("tensor %q: %d elements for shape %v", name, len(t.Data), t.Shape)
		}
		end := at + 4*int64(len(t.Data))
		add(name, entry{"F32", append([]int{}, t.Shape...), [2]int64{at, end}})
		at = end
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i, e := range entries {
		b.WriteByte("{,"[min(i, 1)])
		if err := enc.Encode(e.key); err != nil {
			return nil, err
		}
		b.Truncate(b.Len() - 1) // the encoder's newline
		b.WriteByte(':')
		if err := enc.Encode(e.value); err != nil {
			return nil, err
		}
		b.Truncate(b.Len() - 1)
	}
	if len(entries) == 0 {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	return b.Bytes(), nil
}
