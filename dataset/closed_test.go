package dataset_test

import (
	"reflect"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
)

// A label can be read by nobody who is handed a data set, a view or a list: no exported
// field or method result leads to an Interaction.
func TestInteractionsCannotBeReadFromOutside(t *testing.T) {
	interaction := reflect.TypeFor[dataset.Interaction]()
	for _, typ := range []reflect.Type{reflect.TypeFor[*dataset.Dataset](), reflect.TypeFor[*dataset.Histories](), reflect.TypeFor[*dataset.Lists]()} {
		for i := range typ.Elem().NumField() {
			if f := typ.Elem().Field(i); f.IsExported() && leadsTo(f.Type, interaction) {
				t.Errorf("field %s of %s shows interactions", f.Name, typ)
			}
		}
		for i := range typ.NumMethod() {
			m := typ.Method(i)
			for out := range m.Type.NumOut() {
				if leadsTo(m.Type.Out(out), interaction) {
					t.Errorf("method %s of %s returns interactions", m.Name, typ)
				}
			}
		}
	}
}

// leadsTo looks through the types that hold others.
func leadsTo(typ, wanted reflect.Type) bool {
	if typ == wanted {
		return true
	}
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map, reflect.Chan:
		return leadsTo(typ.Elem(), wanted)
	case reflect.Func:
		for i := range typ.NumIn() { // an iterator hands its values to a function
			if leadsTo(typ.In(i), wanted) {
				return true
			}
		}
		for i := range typ.NumOut() {
			if leadsTo(typ.Out(i), wanted) {
				return true
			}
		}
	}
	return false
}

// What an importer does with its own slice afterwards must not reach into the data set.
func TestSetInteractionsCopies(t *testing.T) {
	ds := &dataset.Dataset{UserIDs: []string{"ann"}, Items: []dataset.Item{{ID: "cup"}, {ID: "mug"}}}
	rows := []dataset.Interaction{{Item: 1, Time: 7}}
	ds.SetInteractions(rows)
	rows[0] = dataset.Interaction{Item: 0, Time: 9, Label: dataset.Test}
	h := ds.TrainHistories()
	if h.Len() != 1 || h.Items(0)[0] != 1 || h.Times(0)[0] != 7 {
		t.Errorf("the data set shows %d train interactions, item %v at %v", h.Len(), h.Items(0), h.Times(0))
	}
	ds.Append(dataset.Interaction{Item: 0, Time: 8})
	if ds.NumInteractions() != 2 || ds.TrainHistories().Len() != 2 {
		t.Errorf("%d interactions after one was appended", ds.NumInteractions())
	}
}
