package web

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed shop.html
var shopPage string

var shopTemplate = template.Must(template.New("shop").Funcs(template.FuncMap{
	"num": func(v float64) string { return fmt.Sprintf("%.4f", v) },
	"img": func(id string) string { return "shop.ws/images/" + id + ".png" },
}).Parse(shopPage))

// WriteShop writes the page of the demo from its result: the metrics, some shoppers with
// what they chose, what was written of them and what is recommended to them.
func WriteShop(w io.Writer, result any) error {
	if err := shopTemplate.Execute(w, result); err != nil {
		return fmt.Errorf("write the page of the demo: %w", err)
	}
	return nil
}
