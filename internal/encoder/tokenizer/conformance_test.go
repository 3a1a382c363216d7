package tokenizer

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func readGzip(t testing.TB, path string, into any) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// conformance is what scripts/tiny_encoders.py writes: tokenizers, given as a base and what
// is put in the place of its parts, and for each text the number of its ids and their digest
// as Hugging Face's library gives them.
type conformance struct {
	Texts []string                              `json:"-"` // in several scripts, with emoji, controls, long words
	More  []string                              `json:"more"`
	Bases map[string]map[string]json.RawMessage `json:"bases"`
	Cases []struct {
		Name, Base string
		Change     map[string]json.RawMessage
		Digests    []string
	} `json:"cases"`
}

func readConformance(t testing.TB) conformance {
	t.Helper()
	var golden struct{ Texts []string }
	readGzip(t, "../sentence/testdata/texts.json.gz", &golden)
	var c conformance
	readGzip(t, "testdata/conformance.json.gz", &c)
	c.Texts = slices.Concat(golden.Texts, c.More)
	return c
}

// file puts changes in the place of parts of a tokenizer.json; those of the model one by one.
func file(t testing.TB, base, change map[string]json.RawMessage) []byte {
	t.Helper()
	out := maps.Clone(base)
	for key, value := range change {
		if key == "model" {
			model := map[string]json.RawMessage{}
			for _, data := range []json.RawMessage{base[key], value} {
				if err := json.Unmarshal(data, &model); err != nil {
					t.Fatal(err)
				}
			}
			value, _ = json.Marshal(model)
		}
		out[key] = value
	}
	data, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func digest(ids []int32) string {
	var list []string
	for _, id := range ids {
		list = append(list, strconv.Itoa(int(id)))
	}
	return fmt.Sprintf("%d %x", len(ids), sha256.Sum256([]byte(strings.Join(list, ","))))[:len(strconv.Itoa(len(ids)))+7]
}

// TestTokenizersAreTheReference compares the ids of 816 texts by WordPiece, Unigram and
// byte-level BPE tokenizers, with the normalisers and splitters that models have.
func TestTokenizersAreTheReference(t *testing.T) {
	c := readConformance(t)
	for _, x := range c.Cases {
		t.Run(x.Name, func(t *testing.T) {
			tok, err := parseJSON(file(t, c.Bases[x.Base], x.Change), config{})
			if err != nil {
				t.Fatal(err)
			}
			wrong := 0
			for i, text := range c.Texts {
				if testing.Short() && i%8 != 0 {
					continue
				}
				if got := tok.Encode(text, 0); digest(got) != x.Digests[i] {
					if wrong++; wrong <= 3 {
						t.Errorf("text %d %.80q: %d ids %.20v; the reference has %s", i, text, len(got), got, x.Digests[i])
					}
				}
			}
			if wrong > 0 {
				t.Errorf("%d of %d texts differ", wrong, len(c.Texts))
			}
		})
	}
}
