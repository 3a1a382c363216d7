package cache

import (
	"time"

	"github.com/mllmrec/mllmrec/internal/encoder"
)

// Manifest says how a matrix of vectors was made. It is stored beside the matrix.
type Manifest struct {
	Encoder   string    `json:"encoder"`              // the encoder's ID, which holds the digest of the model
	Dim       int       `json:"dim"`                  // length of a vector
	Fields    []string  `json:"fields"`               // fields joined into a text, in order
	Texts     int       `json:"texts"`                // rows
	Empty     int       `json:"empty"`                // texts without a character
	MaxTokens int       `json:"max_tokens,omitempty"` // most tokens that the model reads; 0: not known
	Long      int       `json:"long"`                 // texts with more tokens
	LongMode  string    `json:"long_mode,omitempty"`  // what was done with those: truncate, mean
	Created   time.Time `json:"created,omitzero"`
	Stats     Stats     `json:"stats,omitzero"`
}

// tokenLimited is implemented by encoders that read a limited number of tokens of a text.
type tokenLimited interface {
	MaxTokens() int
	CountLong(texts []string) int
	LongMode() string
}

// Describe fills a manifest for texts encoded by enc, a *Cache or any other encoder.
func Describe(enc encoder.Encoder, texts, fields []string) Manifest {
	m := Manifest{Encoder: enc.ID(), Dim: enc.Dim(), Fields: fields, Texts: len(texts), Created: time.Now().UTC().Truncate(time.Second)}
	for _, text := range texts {
		if text == "" {
			m.Empty++
		}
	}
	if c, ok := enc.(*Cache); ok {
		m.Stats, enc = c.Stats(), c.inner
	}
	if l, ok := enc.(tokenLimited); ok {
		m.MaxTokens, m.Long, m.LongMode = l.MaxTokens(), l.CountLong(texts), l.LongMode()
	}
	return m
}
