package dataset

import "strings"

// Text returns the item's own words, the metadata in the paper's item text: title, brand,
// categories and description, joined by single spaces, every run of white space
// (line breaks too) made one space. It is empty when the source had none of them.
func (i Item) Text() string {
	parts := make([]string, 0, 3+len(i.Categories))
	parts = append(parts, i.Title, i.Brand)
	parts = append(parts, i.Categories...)
	parts = append(parts, i.Description)
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}
