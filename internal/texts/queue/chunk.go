package queue

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
)

// Job holds what all questions of one stage have in common.
type Job struct {
	Stage     string // texts.StageDescribe or texts.StageReason
	Domain    string
	Writer    string          // ID of the describer or reasoner that keys were made with
	Spec      json.RawMessage // from it a worker makes that describer or reasoner; holds no secret
	Attempts  int             // as in [texts.Options]
	ChunkSize int             // questions in one job of the queue; 0 = 16
	Owner     string          // who queues; [Status] and [Withdraw] distinguish owners by it
}

// chunkArgs are a job's arguments as River stores them. The questions are in table chunk
// instead, because River indexes arguments and reads them in every query of the queue.
type chunkArgs struct {
	Chunk     string `json:"chunk" river:"unique"`
	Stage     string `json:"stage"`
	Questions int    `json:"questions"`
	Owner     string `json:"owner,omitempty"`
}

// Kind implements river.JobArgs.
func (chunkArgs) Kind() string { return jobKind }

const payloadFormat = 1

// payload is a chunk as it is stored: gzipped JSON. Its items and pictures are in table blob.
type payload struct {
	Format    int              `json:"format"`
	Stage     string           `json:"stage"`
	Domain    string           `json:"domain"`
	Writer    string           `json:"writer"`
	Spec      json.RawMessage  `json:"spec"`
	Attempts  int              `json:"attempts"`
	Questions []storedQuestion `json:"questions"`
}

type storedQuestion struct {
	Key       string   `json:"key"`
	Subject   string   `json:"subject"`
	Fold      int      `json:"fold"`
	SplitHash string   `json:"split,omitempty"`
	Scope     string   `json:"scope,omitempty"`
	Sources   []int32  `json:"sources,omitempty"`
	Items     []digest `json:"items"`
	Image     *picture `json:"image,omitempty"`
}

type picture struct {
	SHA256 digest `json:"sha256"`
	MIME   string `json:"mime"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

// shownItem is an item as it is stored in table blob: what a describer or reasoner is shown.
type shownItem struct {
	ID          string   `json:"id"`
	Title       string   `json:"title,omitempty"`
	Brand       string   `json:"brand,omitempty"`
	Categories  []string `json:"categories,omitempty"`
	Description string   `json:"description,omitempty"`
	ImageText   string   `json:"image_text,omitempty"`
}

type digest [sha256.Size]byte

// MarshalText writes hexadecimal digits.
func (d digest) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d[:])), nil }

// UnmarshalText reads hexadecimal digits.
func (d *digest) UnmarshalText(b []byte) error {
	n, err := hex.Decode(d[:], b[:min(len(b), 2*len(d))])
	if err != nil || n != len(d) || len(b) != 2*len(d) {
		return fmt.Errorf("%q is no SHA-256", b)
	}
	return nil
}

func (h *shownItem) historyItem() texts.HistoryItem {
	return texts.HistoryItem{
		Item:      dataset.Item{ID: h.ID, Title: h.Title, Brand: h.Brand, Categories: h.Categories, Description: h.Description},
		ImageText: h.ImageText,
	}
}

// pack makes the stored form of a question, and adds to blobs the items and pictures that
// it refers to.
func pack(stage string, q texts.Question, blobs map[digest][]byte) (storedQuestion, error) {
	a := storedQuestion{Key: q.About.Key, Subject: q.About.Subject, Fold: q.About.Fold,
		SplitHash: q.About.SplitHash, Scope: q.About.Scope, Sources: q.About.Sources}
	switch {
	case stage == texts.StageDescribe && q.Describe != nil:
		img := q.Describe.Image
		p := &picture{SHA256: sha256.Sum256(img.Data), MIME: img.MIME, Width: img.Width, Height: img.Height}
		if text, _ := p.SHA256.MarshalText(); string(text) != img.SHA256 {
			return a, fmt.Errorf("picture of item %q: its bytes have SHA-256 %s, not %s", q.About.Subject, text, img.SHA256)
		}
		blobs[p.SHA256] = img.Data
		a.Image = p
		a.Items = []digest{packItem(texts.HistoryItem{Item: q.Describe.Item}, blobs)}
	case stage == texts.StageReason && q.Reason != nil:
		for _, it := range q.Reason.Items {
			a.Items = append(a.Items, packItem(it, blobs))
		}
	default:
		return a, fmt.Errorf("question about %q: no request of stage %q", q.About.Subject, stage)
	}
	return a, nil
}

// packItem adds an item to blobs. It leaves out the reference to the picture, which may be
// a path or the whole picture, and which no model is shown.
func packItem(it texts.HistoryItem, blobs map[digest][]byte) digest {
	raw, err := json.Marshal(shownItem{it.Item.ID, it.Item.Title, it.Item.Brand, it.Item.Categories, it.Item.Description, it.ImageText})
	if err != nil { // strings always marshal
		panic(err)
	}
	d := digest(sha256.Sum256(raw))
	blobs[d] = raw
	return d
}

// id is the SHA-256 of what the chunk asks.
func (p *payload) id() string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %q %q %q %q\n", p.Format, p.Stage, p.Domain, p.Writer, p.Spec)
	for _, q := range p.Questions {
		fmt.Fprintln(h, q.Key)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (p *payload) encode() ([]byte, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(raw); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// maxPayload bounds the size of a decompressed chunk.
const maxPayload = 256 << 20

func decodePayload(data []byte) (*payload, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(z, maxPayload+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxPayload {
		return nil, fmt.Errorf("decompressed, it has more than %d bytes", maxPayload)
	}
	var p payload
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, err
	}
	if p.Format != payloadFormat {
		return nil, fmt.Errorf("it has format %d, this program knows format %d", p.Format, payloadFormat)
	}
	for _, q := range p.Questions {
		if p.Stage == texts.StageDescribe && (q.Image == nil || len(q.Items) != 1) {
			return nil, fmt.Errorf("question about %q: no picture, or not one item", q.Subject)
		}
	}
	return &p, nil
}

// textWriter answers the questions of a chunk: exactly one of the two is set.
type textWriter struct {
	describer texts.Describer
	reasoner  texts.Reasoner
}

func (w textWriter) id() string {
	if w.describer != nil {
		return w.describer.ID()
	}
	return w.reasoner.ID()
}

// questions unpacks a chunk's questions, and checks that the keys made from w are those that
// the coordinator expects.
func (p *payload) questions(w textWriter, blobs map[digest][]byte) ([]texts.Question, error) {
	out := make([]texts.Question, len(p.Questions))
	for i, q := range p.Questions {
		out[i].About = texts.Generation{Key: q.Key, Stage: p.Stage, Subject: q.Subject, Fold: q.Fold, SplitHash: q.SplitHash, Scope: q.Scope, Sources: q.Sources}
		items := make([]texts.HistoryItem, len(q.Items))
		for j, d := range q.Items {
			var it shownItem
			if err := json.Unmarshal(blobs[d], &it); err != nil {
				return nil, fmt.Errorf("item %d of the question about %q: %w", j, q.Subject, err)
			}
			items[j] = it.historyItem()
		}
		key := q.Key
		switch p.Stage {
		case texts.StageDescribe:
			sum, _ := q.Image.SHA256.MarshalText()
			r := &texts.DescribeRequest{Item: items[0].Item, Domain: p.Domain, Image: mllm.Image{
				Data: blobs[q.Image.SHA256], MIME: q.Image.MIME, SHA256: string(sum), Width: q.Image.Width, Height: q.Image.Height}}
			out[i].Describe, out[i].About.ImageHash = r, r.Image.SHA256
			key = texts.DescribeKey(w.id(), *r)
		case texts.StageReason:
			r := &texts.ReasonRequest{User: q.Subject, Fold: q.Fold, Domain: p.Domain, Items: items}
			out[i].Reason = r
			if len(q.Sources) == len(items) { // else the sources in the key are more than those stored
				key = texts.ReasonKey(w.idFor(*r), *r, q.SplitHash, q.Scope, q.Sources)
			}
		}
		if key != q.Key {
			return nil, fmt.Errorf("question about %q: its key does not fit what is asked", q.Subject)
		}
	}
	return out, nil
}

// idFor returns the ID that the key of one preference is made from.
func (w textWriter) idFor(r texts.ReasonRequest) string {
	if byRequest, ok := w.reasoner.(texts.RequestIdentifier); ok {
		return byRequest.RequestID(r)
	}
	return w.reasoner.ID()
}
