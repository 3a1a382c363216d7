package published

import "testing"

func TestTheTableIsWhole(t *testing.T) {
	for _, data := range Datasets() {
		rows := Table(data)
		if len(rows) != 14 {
			t.Errorf("%s has %d rows", data, len(rows))
		}
		for _, r := range rows {
			if !(r.R10 < r.R20 && r.N10 < r.N20 && r.N20 < r.R20) {
				t.Errorf("%s, %s: %+v cannot be", data, r.Model, r)
			}
			if r.Leaky != (r.Model == "MLLMRec" || r.Model == "MLLMRec + UI-GCN") {
				t.Errorf("%s: leaky %t", r.Model, r.Leaky)
			}
		}
	}
	if Table("other") != nil {
		t.Error("a table of another data set")
	}
	if slm := Table("clothing")[4]; slm.Note == "" || slm.R20 != Table("baby")[4].R20 {
		t.Errorf("the repeated row is not marked: %+v", slm)
	}
}
