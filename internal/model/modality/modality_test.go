package modality

import (
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/model"
)

func parse(t *testing.T, text string) (model.Values, error) {
	t.Helper()
	return model.ParseSettings("model", []model.Setting{Setting()}, map[string]string{Name: text})
}

func TestModalitiesAreReadInTheOrderOfTheList(t *testing.T) {
	for text, want := range map[string][]string{
		"text,visual":     {"text", "visual"},
		" audio , text":   {"audio", "text"},
		"auto":            {"visual", "text"},
		"deep_2-features": {"deep_2-features"},
	} {
		v, err := parse(t, text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got := Of(v); !slices.Equal(got, want) {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"", ",", "text,", "text,text", "Text", "te xt", "text,auto", "../text"} {
		if _, err := parse(t, text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestOrderIsThatOfThePublishedModels(t *testing.T) {
	if got := Order([]string{"text", "zebra", "audio", "visual"}); !slices.Equal(got, []string{"visual", "text", "audio", "zebra"}) {
		t.Errorf("order %q", got)
	}
}
