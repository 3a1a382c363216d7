package cache

import (
	"time"

	"github.com/mllmrec/mllmrec/internal/encoder"
)

// Manifest stands beside a matrix of vectors and says how they came to be.
type Manifest struct {
	Encoder   string    `json:"encoder"`              // the encoder's ID, which holds the digest of the model
	Dim       int       `json:"dim"`                  // length of a vector
	Fields    []string  `json:"fields"`               // what was joined into a text, in order
	Texts     int       `json:"texts"`                // rows
	Empty     int       `json:"empty"`                // texts without a character
	MaxTokens int       `json:"max_tokens,omitempty"` // what the model reads of a text; 0: not known
	Long      int       `json:"long"`                 // texts with more
	LongMode  string    `json:"long_mode,omitempty"`  // what became of those: truncate, mean
	Created   time.Time `json:"created,omitzero"`
	Stats     Stats     `json:"stats,omitzero"`
}

// limited is what an encoder that reads a limited number of tokens can tell.
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
