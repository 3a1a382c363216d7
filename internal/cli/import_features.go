package cli

import (
	"fmt"
	"strings"

	"github.com/mllmrec/mllmrec/internal/stage/importing"
)

// features are files of vectors made elsewhere that go with an import; there may be none.
type features struct {
	items featuresFlag
	users string
}

// featuresFlag takes files of item vectors, each with its modality.
type featuresFlag []importing.Features

// Set implements pflag.Value: every value is one file more.
func (f *featuresFlag) Set(text string) error {
	one, err := importing.ParseFeatures(text)
	if err != nil {
		return err
	}
	*f = append(*f, one)
	return nil
}

// String implements pflag.Value.
func (f *featuresFlag) String() string {
	var all []string
	for _, one := range *f {
		all = append(all, one.Modality+"="+one.Path)
	}
	return strings.Join(all, " ")
}

// Type implements pflag.Value.
func (f *featuresFlag) Type() string { return "[modality=]file" }

func (f *featuresFlag) paths() []string {
	var all []string
	for _, one := range *f {
		all = append(all, one.Path)
	}
	return all
}

// has reports whether a file of the modality is named.
func (f *featuresFlag) has(modality string) bool {
	for _, one := range *f {
		if one.Modality == modality {
			return true
		}
	}
	return false
}

// modalitiesLine says of which modalities a workspace has vectors.
func modalitiesLine(all []importing.Modality) string {
	var parts []string
	for _, m := range all {
		from := m.From
		if m.File != "" {
			from += ", " + m.File
		}
		parts = append(parts, fmt.Sprintf("%s, %d wide (%s)", m.Name, m.Dim, from))
	}
	return strings.Join(parts, "; ")
}
