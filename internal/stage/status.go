package stage

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Status says how a stage stands: of what it made last, or of what was chosen last.
type Status struct {
	Stage      string            `json:"stage"`
	State      string            `json:"state"`               // "fresh", "partial" (answers are missing), "stale" or "missing"
	Reason     string            `json:"reason,omitempty"`    // why it is stale or partial
	Addresses  []string          `json:"addresses,omitempty"` // of its current artefacts
	Finished   *time.Time        `json:"finished,omitempty"`
	Seconds    float64           `json:"seconds,omitempty"`
	Provenance string            `json:"provenance,omitempty"`
	Leaky      bool              `json:"leaky,omitempty"`
	Options    map[string]string `json:"options,omitempty"`
	Info       map[string]any    `json:"info,omitempty"`
}

const partial = "partial"

// StatusOf reports every stage by its current artefacts, against what these were made
// from.
func StatusOf(ws *workspace.Workspace) []Status {
	var all []Status
	for _, name := range workspace.Stages() {
		s := Status{Stage: name, State: workspace.Missing.String()}
		for _, kind := range workspace.KindsOf(name) {
			if address, a, ok := ws.Current(kind); ok {
				s.add(ws, address, a)
			}
		}
		if name == workspace.StageImport {
			s.joinModalities(ws)
		}
		all = append(all, s)
	}
	return all
}

// add joins one of a stage's artefacts to its status: the worst state counts, the later
// artefact's record is shown.
func (s *Status) add(ws *workspace.Workspace, address string, a workspace.Artefact) {
	s.join(ws, address, a)
	s.Finished, s.Provenance, s.Options = &a.Finished, a.Provenance, a.Options
	s.Seconds, s.Leaky = s.Seconds+a.Seconds, s.Leaky || a.Leaky
	if s.Info == nil {
		s.Info = map[string]any{}
	}
	maps.Copy(s.Info, a.Info)
}

// join has an artefact count for the stage's state.
func (s *Status) join(ws *workspace.Workspace, address string, a workspace.Artefact) {
	state, reason := freshness(ws, address, a)
	if len(s.Addresses) == 0 || worse(state, s.State) {
		s.State, s.Reason = state, reason
	}
	s.Addresses = append(s.Addresses, address)
}

// joinModalities has item vectors that only an import brings count for its state. What is shown
// of the import stays the record of the data.
func (s *Status) joinModalities(ws *workspace.Workspace) {
	for _, modality := range ws.Modalities() {
		if modality == workspace.Text {
			continue // stage encode, which they stand in for, shows them
		}
		if address, a, ok := ws.Current(workspace.ItemVectorsOf(modality)); ok {
			s.join(ws, address, a)
		}
	}
}

func worse(a, b string) bool {
	order := []string{workspace.Fresh.String(), partial, workspace.Stale.String(), workspace.Missing.String()}
	return slices.Index(order, a) > slices.Index(order, b)
}

// freshness says how an artefact stands, and why it is not fresh.
func freshness(ws *workspace.Workspace, address string, a workspace.Artefact) (state, reason string) {
	if c := ws.Check(address); c.State != workspace.Fresh {
		return workspace.Stale.String(), c.Reason
	}
	for _, kind := range a.InputKinds() {
		in := a.Inputs[kind]
		current, now, ok := ws.Current(kind)
		if !ok {
			return workspace.Stale.String(), fmt.Sprintf("made from %s, which is gone", in.Address)
		}
		if !ws.Matches(current, in) {
			return workspace.Stale.String(), fmt.Sprintf("made from %s; current is %s", in.Address, current)
		}
		if s, _ := freshness(ws, current, now); s == workspace.Stale.String() {
			return workspace.Stale.String(), "an earlier stage is stale"
		}
	}
	if a.Pending > 0 {
		return partial, fmt.Sprintf("%d texts lack an answer; the next run goes on with them", a.Pending)
	}
	return workspace.Fresh.String(), ""
}

// Node is an artefact in the tree of what depends on what.
type Node struct {
	Address  string    `json:"address"`
	Stage    string    `json:"stage"`
	Current  bool      `json:"current,omitempty"` // commands use it unless told otherwise
	Intact   bool      `json:"intact"`            // its files are as they were recorded
	Finished time.Time `json:"finished"`
	Leaky    bool      `json:"leaky,omitempty"`
	From     []string  `json:"from,omitempty"`  // addresses that it was made from
	Above    []*Node   `json:"above,omitempty"` // made from this, and from nothing later
}

// Tree returns the artefacts as a tree rooted in the data: each stands above the last of
// those that it was made from, in the order of the kinds.
func Tree(ws *workspace.Workspace) *Node {
	m := ws.Manifest()
	nodes := map[string]*Node{}
	var root *Node
	for _, kind := range ws.Kinds() {
		addresses := ws.Addresses(kind)
		slices.Reverse(addresses)
		for _, address := range addresses {
			a := m.Artefacts[address]
			n := &Node{Address: address, Stage: a.Stage, Current: m.Current[kind] == address, Intact: ws.Check(address).State == workspace.Fresh,
				Finished: a.Finished, Leaky: a.Leaky}
			nodes[address] = n
			below := root
			for _, k := range a.InputKinds() {
				in := a.Inputs[k]
				n.From = append(n.From, in.Address)
				if nodes[in.Address] != nil {
					below = nodes[in.Address]
				}
			}
			if below == nil {
				root = n
				continue
			}
			below.Above = append(below.Above, n)
		}
	}
	return root
}
