package texts

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// keyVersion is part of every key. It must change when keys are made of other things.
const keyVersion = "mllmrec-generation/1"

// keyWriter hashes fields such that different sequences of fields never coincide:
// each is preceded by its length.
type keyWriter struct{ h hash.Hash }

func newKey(stage string) keyWriter {
	k := keyWriter{sha256.New()}
	k.text(keyVersion)
	k.text(stage)
	return k
}

func (k keyWriter) text(s string) {
	k.number(int64(len(s)))
	k.h.Write([]byte(s))
}

func (k keyWriter) number(n int64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	k.h.Write(b[:])
}

func (k keyWriter) sum() string { return hex.EncodeToString(k.h.Sum(nil)) }

// DescribeKey identifies a description by the describer's ID (see [Describer]), the domain,
// the item with its text, and the picture's bytes. Attempt is not part of it.
func DescribeKey(describer string, r DescribeRequest) string {
	k := newKey(StageDescribe)
	k.text(describer)
	k.text(r.Domain)
	k.text(r.Item.ID)
	k.text(ItemText(r.Item, ""))
	k.text(r.Image.SHA256)
	return k.sum()
}

// provenance says which interactions a preference was made from.
type provenance struct {
	split, scope string
	sources      []int32
}

// ReasonKey identifies a preference by the reasoner's ID (see [Reasoner]), the domain, the
// user, the fold left out, the items shown with their texts in order, and the
// interactions, split and scope that these come from. So the provenance stored with an
// answer holds for every run that uses the answer.
func ReasonKey(reasoner string, r ReasonRequest, split, scope string, sources []int32) string {
	digests := make([][32]byte, len(r.Items))
	for i, it := range r.Items {
		digests[i] = itemDigest(it)
	}
	return reasonKey(reasoner, r, digests, provenance{split, scope, sources})
}

func reasonKey(reasoner string, r ReasonRequest, digests [][32]byte, p provenance) string {
	k := newKey(StageReason)
	k.text(reasoner)
	k.text(r.Domain)
	k.text(r.User)
	k.number(int64(r.Fold))
	k.text(p.split)
	k.text(p.scope)
	k.number(int64(len(digests)))
	for _, d := range digests {
		k.h.Write(d[:])
	}
	k.number(int64(len(p.sources)))
	for _, s := range p.sources {
		k.number(int64(s))
	}
	return k.sum()
}

// itemDigest is the SHA-256 of everything of an item that a reasoner is shown.
func itemDigest(it HistoryItem) (d [32]byte) {
	k := newKey("item")
	for _, s := range []string{it.Item.ID, it.Item.Title, it.Item.Brand, it.Item.Description, it.ImageText} {
		k.text(s)
	}
	for _, c := range it.Item.Categories {
		k.text(c)
	}
	k.h.Sum(d[:0])
	return d
}
