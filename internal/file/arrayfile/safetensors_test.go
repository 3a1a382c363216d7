package arrayfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// safetensorsBytes is a stream with any header.
func safetensorsBytes(header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func decodeSafetensors(raw []byte) (map[string]Tensor, map[string]string, error) {
	return DecodeSafetensors(bytes.NewReader(raw), int64(len(raw)))
}

func TestSafetensorsRoundTrip(t *testing.T) {
	for name, c := range map[string]struct {
		tensors  map[string]Tensor
		metadata map[string]string
	}{
		"nothing":   {map[string]Tensor{}, nil},
		"no tensor": {map[string]Tensor{}, map[string]string{"a": "b"}},
		"several": {map[string]Tensor{
			"w": {[]int{2, 3}, []float32{1, 2, 3, 4, 5, 6}}, "a.b": {[]int{1}, []float32{-0.5}},
			"scalar": {[]int{}, []float32{7}}, "empty": {[]int{0, 4}, []float32{}},
			"odd \"name\" <ü>\n": {[]int{2}, []float32{8, 9}},
		}, map[string]string{"format": "pt", "odd <&> \"key\"": "line\nline"}},
	} {
		path := filepath.Join(t.TempDir(), "m.safetensors")
		if err := WriteSafetensors(path, c.tensors, c.metadata); err != nil {
			t.Fatal(err)
		}
		tensors, metadata, err := ReadSafetensors(path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.tensors, tensors); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(c.metadata, metadata); diff != "" {
			t.Errorf("%s: metadata (-want +got):\n%s", name, diff)
		}
		raw, err := os.ReadFile(path)
		if err != nil || (binary.LittleEndian.Uint64(raw))%8 != 0 {
			t.Errorf("%s: the data are not aligned to 8 bytes (%v)", name, err)
		}
	}
}

func TestSafetensorsTypes(t *testing.T) {
	data := []byte{
		0, 0, 0xc0, 0x3f, // F32 1.5
		0, 0x3c, 0, 0xc0, // F16 1, -2
		0x80, 0x3f, 0x40, 0xc0, // BF16 1, -3
		0, 0, 0, 0, 0, 0, 0xe0, 0x3f, // F64 0.5
		1, 2, 3, 4, // I32, stepped over
	}
	header := `{"b":{"dtype":"F16","shape":[2],"data_offsets":[4,8]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
		"c":{"dtype":"BF16","shape":[1,2],"data_offsets":[8,12]},"ids":{"dtype":"I32","shape":[1],"data_offsets":[20,24]},
		"d":{"dtype":"F64","shape":[],"data_offsets":[12,20]}}`
	got, _, err := decodeSafetensors(safetensorsBytes(header, data))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Tensor{"a": {[]int{1}, []float32{1.5}}, "b": {[]int{2}, []float32{1, -2}}, "c": {[]int{1, 2}, []float32{1, -3}}, "d": {[]int{}, []float32{0.5}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := os.WriteFile(path, safetensorsBytes(header, data), 0o666); err != nil {
		t.Fatal(err)
	}
	infos, _, err := StatSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, t := range infos {
		names = append(names, t.Name+" "+t.DType)
	}
	if !slices.Equal(names, []string{"a F32", "b F16", "c BF16", "d F64", "ids I32"}) {
		t.Errorf("tensors %v", names)
	}
}

func TestSafetensorsRejects(t *testing.T) {
	tensors := func(offsets ...int) string {
		var b strings.Builder
		for i := 0; i < len(offsets); i += 2 {
			fmt.Fprintf(&b, `%c"t%d":{"dtype":"F32","shape":[%d],"data_offsets":[%d,%d]}`, "{,"[min(i, 1)], i/2, (offsets[i+1]-offsets[i])/4, offsets[i], offsets[i+1])
		}
		return b.String() + "}"
	}
	one := func(dtype, shape, offsets string) []byte {
		return safetensorsBytes(fmt.Sprintf(`{"t":{"dtype":%q,"shape":%s,"data_offsets":%s}}`, dtype, shape, offsets), make([]byte, 8))
	}
	for name, c := range map[string]struct {
		raw  []byte
		want string
	}{
		"empty":             {nil, "ends within the header length"},
		"header too long":   {[]byte{0, 0, 0, 0, 0, 0, 0, 0x80}, "more than the format's"},
		"header cut off":    {safetensorsBytes("{}", nil)[:9], "claims 2 bytes"},
		"empty header":      {safetensorsBytes("", nil), "does not begin with '{'"},
		"space first":       {safetensorsBytes(" {}", nil), "does not begin with '{'"},
		"no JSON":           {safetensorsBytes("{oops}", nil), "invalid character"},
		"text behind":       {safetensorsBytes("{} x", nil), "after the last brace"},
		"overlap":           {safetensorsBytes(tensors(0, 8, 4, 12), make([]byte, 12)), "inside the 8 already taken"},
		"gap":               {safetensorsBytes(tensors(0, 4, 8, 12), make([]byte, 12)), "gap of 4 bytes"},
		"gap at the start":  {safetensorsBytes(tensors(4, 8), make([]byte, 8)), "gap of 4 bytes"},
		"trailing data":     {safetensorsBytes(tensors(0, 4), make([]byte, 8)), "4 bytes follow the last tensor"},
		"cut off":           {safetensorsBytes(tensors(0, 8), make([]byte, 7)), "cut off"},
		"name twice":        {safetensorsBytes(`{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, make([]byte, 8)), "twice"},
		"backwards":         {one("F32", "[2]", "[0,-8]"), "ends at byte -8"},
		"negative start":    {one("F32", "[2]", "[-8,0]"), "begins at byte -8"},
		"shape too small":   {one("F32", "[1]", "[0,8]"), "does not fill"},
		"shape too big":     {one("F32", "[3]", "[0,8]"), "does not fill"},
		"shape overflows":   {one("F32", "[4611686018427387904,4,2]", "[0,8]"), "does not fill"},
		"negative shape":    {one("F32", "[-1,-2]", "[0,8]"), "does not fill"},
		"negative and zero": {one("F32", "[0,-1]", "[0,0]"), "does not fill"},
		"unknown type":      {one("F4", "[2]", "[0,8]"), `"F4" is unknown`},
		"fraction":          {one("F32", "[1.5]", "[0,8]"), "cannot unmarshal"},
		"three offsets":     {one("F32", "[2]", "[0,4,8]"), "is missing"},
		"no shape":          {safetensorsBytes(`{"t":{"dtype":"F32","data_offsets":[0,8]}}`, make([]byte, 8)), "is missing"},
		"bad metadata":      {safetensorsBytes(`{"__metadata__":{"a":1}}`, nil), "__metadata__"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := decodeSafetensors(c.raw); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestWriteSafetensorsRejects(t *testing.T) {
	for name, tensors := range map[string]map[string]Tensor{
		"shape":    {"a": {[]int{3}, []float32{1, 2}}},
		"negative": {"a": {[]int{-1, -2}, []float32{1, 2}}},
		"reserved": {metadataKey: {[]int{1}, []float32{1}}},
	} {
		path := filepath.Join(t.TempDir(), "m.safetensors")
		if err := WriteSafetensors(path, tensors, nil); err == nil {
			t.Errorf("%s: written", name)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: a file is left", name)
		}
	}
}

func FuzzSafetensors(f *testing.F) {
	f.Add(safetensorsBytes(`{"__metadata__":{"k":"v"},"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  `, make([]byte, 8)))
	f.Add(safetensorsBytes(`{"a":{"dtype":"BF16","shape":[1,2],"data_offsets":[0,4]},"b":{"dtype":"F64","shape":[],"data_offsets":[4,12]},"i":{"dtype":"I8","shape":[1],"data_offsets":[12,13]}}`, make([]byte, 13)))
	f.Add(safetensorsBytes(`{"z":{"dtype":"F16","shape":[0,9223372036854775807],"data_offsets":[0,0]}}`, nil))
	f.Add(safetensorsBytes(`{}`, nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		tensors, metadata, err := decodeSafetensors(raw)
		if err != nil {
			return
		}
		for name, x := range tensors {
			if 2*len(x.Data) > len(raw) {
				t.Fatalf("tensor %q: %d elements from %d bytes", name, len(x.Data), len(raw))
			}
		}
		var b bytes.Buffer
		if err := EncodeSafetensors(&b, tensors, metadata); err != nil {
			t.Fatal(err)
		}
		again, _, err := decodeSafetensors(b.Bytes())
		if err != nil || len(again) != len(tensors) {
			t.Fatalf("does not come back: %v", err)
		}
		for name, x := range tensors {
			if !slices.Equal(again[name].Shape, x.Shape) || !bytes.Equal(bytesOf(again[name].Data), bytesOf(x.Data)) {
				t.Fatalf("tensor %q is another now", name)
			}
		}
	})
}
