package shop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
)

// Write makes the shop as files that an import reads: items.jsonl,
// interactions.csv and the pictures in images/.
func Write(dir string, seed uint64) error {
	products := makeProducts(seed)
	ds, bought := open(seed, products)
	if err := WriteImages(filepath.Join(dir, "images"), pictures(products)); err != nil {
		return err
	}
	err := atomicfile.Write(filepath.Join(dir, "items.jsonl"), func(w io.Writer) error { return writeItems(w, ds) })
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, "interactions.csv"), func(w io.Writer) error { return writeInteractions(w, ds, bought) })
}

// WriteImages writes the pictures of [Shop] into a folder, under the names that the
// items' Image fields have.
func WriteImages(dir string, images map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("writing the demo's pictures: %w", err)
	}
	for id, data := range images {
		if err := os.WriteFile(filepath.Join(dir, id+".png"), data, 0o666); err != nil {
			return fmt.Errorf("writing the demo's pictures: %w", err)
		}
	}
	return nil
}

func writeItems(w io.Writer, ds *dataset.Dataset) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, it := range ds.Items {
		err := e.Encode(struct {
			Item        string   `json:"item"`
			Title       string   `json:"title"`
			Brand       string   `json:"brand"`
			Categories  []string `json:"categories"`
			Description string   `json:"description"`
			Image       string   `json:"image"`
		}{it.ID, it.Title, it.Brand, it.Categories, it.Description, "images/" + it.Image})
		if err != nil {
			return err
		}
	}
	return nil
}

func writeInteractions(w io.Writer, ds *dataset.Dataset, bought []dataset.Interaction) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "user,item,rating,time")
	for _, x := range bought {
		fmt.Fprintf(b, "%s,%s,%g,%d\n", ds.UserIDs[x.User], ds.Items[x.Item].ID, x.Rating, x.Time)
	}
	return b.Flush()
}
