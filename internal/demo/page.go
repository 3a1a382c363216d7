package demo

import (
	"fmt"
	"html/template"
	"io"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
)

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"num": func(v float64) string { return fmt.Sprintf("%.4f", v) },
	"img": func(id string) string { return "shop.ws/images/" + id + ".png" },
}).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>MLLMRec demo</title>
<meta name="viewport" content="width=device-width">
<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2.2rem;border-top:1px solid #ddd;padding-top:1rem}
table{border-collapse:collapse}td,th{padding:.2rem .9rem .2rem 0;text-align:right}td:first-child,th:first-child{text-align:left}
.row{display:flex;flex-wrap:wrap;gap:.7rem;margin:.4rem 0 .8rem}
figure{margin:0;width:112px;font-size:12px;line-height:1.25}figure img{width:112px;height:112px;border-radius:6px;border:1px solid #e4e4e4}
blockquote{margin:.4rem 0;padding:.4rem .8rem;background:#f5f5f2;border-radius:6px}
.label{color:#777;font-size:13px;margin-bottom:0}
</style></head><body>
<h1>MLLMRec on a drawn shop</h1>
<p>{{.Statistics.Items}} items, {{.Statistics.Users}} simulated shoppers, {{.Statistics.Interactions}} interactions;
everything in {{printf "%.1f" .Seconds}} s. Preferences were written from train interactions only, by an extractive
writer that is no model.</p>
<table><tr><th>test, full ranking</th><th>R@10</th><th>R@20</th><th>N@10</th><th>N@20</th></tr>
<tr><td>MLLMRec</td>{{with .Evaluation.Test}}<td>{{num (index . "recall@10")}}</td><td>{{num (index . "recall@20")}}</td><td>{{num (index . "ndcg@10")}}</td><td>{{num (index . "ndcg@20")}}</td>{{end}}</tr>
{{range .Evaluation.Baselines}}<tr><td>{{.Name}}</td>{{with .Test}}<td>{{num (index . "recall@10")}}</td><td>{{num (index . "recall@20")}}</td><td>{{num (index . "ndcg@10")}}</td><td>{{num (index . "ndcg@20")}}</td>{{end}}</tr>
{{end}}</table>
{{range .Users}}<h2>Shopper {{.User}}</h2>
<p class="label">chose</p><div class="row">{{range .History}}<figure><img src="{{img .ID}}" alt=""><figcaption>{{.Title}}</figcaption></figure>{{end}}</div>
<p class="label">preference text</p><blockquote>{{.Preference}}</blockquote>
<p class="label">recommended</p><div class="row">{{range .Recommendations}}<figure><img src="{{img .Item}}" alt=""><figcaption>{{.Title}}</figcaption></figure>{{end}}</div>
<p class="label">chose later (never shown to the model)</p><div class="row">{{range .Bought}}<figure><img src="{{img .ID}}" alt=""><figcaption>{{.Title}}</figcaption></figure>{{end}}</div>
{{end}}<h2>Somebody never seen, who says “{{.Sentence}}”</h2>
<div class="row">{{range .ForText}}<figure><img src="{{img .Item}}" alt=""><figcaption>{{.Title}}</figcaption></figure>{{end}}</div>
</body></html>
`))

func writePage(path string, r *Result) error {
	return atomicfile.Write(path, func(w io.Writer) error { return page.Execute(w, r) })
}
