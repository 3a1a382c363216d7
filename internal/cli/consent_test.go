package cli

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// harmless are flags with a text for a value that names nothing outside the workspace:
// words, ids, columns and choices.
var harmless = strings.Fields(`name domain split on-error interactions-format items-format user-column item-column time-column rating-column label-column
	items-item-column title-column brand-column price-column categories-column description-column image-column category-separator encoding items-encoding separator quote
	status item user history text run mllm stage model set prefix revision config
	mllm-model script think extra-body keep-alive long-history topology graph edge-weights denoise folds-for encoder encoder-long encoder-item-prefix encoder-user-prefix measure
	timeout image-timeout k max-tokens batches item-texts against
	memory protocol seeds select grid models refined without over recommender published cache count log arm base`)

// switches are harmless flags that are on or off.
var switches = strings.Fields(`denoise dry-run explain estimate force fresh help json keep-unseen max-completion-tokens no-header omit-sampling quiet
	ignore-features revoke strangers text-only topology until-empty views workers yes stay serve back swap-worse month`) // those of trust are out of a config's reach

// mustAsk are options of stages whose values the structs' Grants answer for, with a value
// that asks for something.
var mustAsk = map[string]string{"base-url": "http://evil", "api-key-env": "KEY", "prompts": "x.tmpl", "prices": "x.yaml", "store": "postgres://h/x", "spool": "spool", "image-dir": "pictures",
	"encoder-base-url": "http://evil", "encoder-api-key-env": "KEY", "encoder-model": "/models/x", "allow-private-images": "true", "allow-outside-images": "true"}

// Who reaches a shop, and what keys are for, is no stranger's word.
func TestConfigOfAWorkspaceOpensNoDoor(t *testing.T) {
	t.Setenv("MLLMREC_CONFIG_DIR", t.TempDir())
	for _, line := range []string{"serve: {addr: \"0.0.0.0:0\"}", "serve: {open: true}", "serve: {admin-addr: \":0\"}", "serve: {tls-key: x, tls-cert: y}", "all: {open: true}", "add: {role: admin}", "all: {addr: \":0\"}"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, configName), []byte(line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"serve", dir}
		if strings.HasPrefix(line, "add") {
			args = []string{"key", "add", dir, "--name", "x"}
		}
		var out, said strings.Builder
		if code := Main(args, &out, &said); code != exitUser || !strings.Contains(said.String(), "is for you to say") {
			t.Errorf("%s: exit %d, %s%s", line, code, out.String(), said.String())
		}
	}
}

// Whoever adds a flag says what a stranger's config could do with it.
func TestEveryFlagIsClassified(t *testing.T) {
	for _, cmd := range withSubcommands((&app{stdout: io.Discard, stderr: io.Discard}).root()) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if _, old := f.Value.(*oldFlag); old || f.Value.Type() == "bool" && slices.Contains(switches, f.Name) || slices.Contains([]string{"int", "uint", "uint64", "float", "float64", "int64", "float32", "duration", "number"}, f.Value.Type()) {
				return
			}
			if slices.Contains(usersWord, f.Name) {
				return
			}
			_, named := authority[f.Name]
			if !named && mustAsk[f.Name] == "" && !slices.Contains(harmless, f.Name) {
				t.Errorf("%s --%s: say in authority, in a method Grants, or among the harmless what a config may do with it", cmd.CommandPath(), f.Name)
			}
			value := mustAsk[f.Name]
			if value == "" && named {
				value = "there"
			}
			if value == "" {
				return
			}
			fresh := find(t, cmd.CommandPath())
			with := map[string]string{"mllm": "openai", "encoder": "openai"} // in which the option has an effect
			switch f.Name {
			case "encoder-model":
				with["encoder"] = "minilm"
			case "api-key-env":
				with["base-url"] = "http://h"
			case "encoder-api-key-env":
				with["encoder-base-url"] = "http://h"
			}
			with[f.Name] = value
			for name, v := range with {
				if fresh.Lookup(name) != nil {
					if err := fresh.Set(name, v); err != nil {
						t.Fatal(err)
					}
				}
			}
			recorded, others := grantsOf(fresh)
			for _, g := range append(recorded, others...) {
				if slices.Contains(g.Options, f.Name) {
					return
				}
			}
			t.Errorf("%s --%s %s asks for no consent", cmd.CommandPath(), f.Name, value)
		})
	}
}

// find returns the flags of a command of a new tree.
func find(t *testing.T, path string) *pflag.FlagSet {
	t.Helper()
	for _, cmd := range withSubcommands((&app{stdout: io.Discard, stderr: io.Discard}).root()) {
		if cmd.CommandPath() == path {
			return cmd.Flags()
		}
	}
	t.Fatalf("no command %s", path)
	return nil
}

// The configuration in one's own folder, and that which is named, need no consent; the one
// of a workspace does, once.
func TestWhoseConfigurationItIs(t *testing.T) {
	own := t.TempDir()
	t.Setenv("MLLMREC_CONFIG_DIR", own)
	ws := importWordyShop(t, 12, 12)
	const prices = "currency: EUR\nmodels: {m: {input: 1, output: 2}}\n"
	table := filepath.Join(t.TempDir(), "prices.yaml")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(table, prices)
	config := "describe: {mllm: openai, mllm-model: m, base-url: 'http://127.0.0.1:9/v1', prices: " + table + "}\n"
	estimate := []string{"describe", ws, "--estimate"}

	write(filepath.Join(ws, configName), config)
	code, _, errs := call(t, estimate...)
	if code != exitUser || !strings.Contains(errs, "http://127.0.0.1:9/v1 with the key in OPENAI_API_KEY") || !strings.Contains(errs, table) || !strings.Contains(errs, "mllmrec trust "+ws) {
		t.Errorf("a workspace's: exit %d: %s", code, errs)
	}
	code, out, errs := call(t, "trust", ws)
	if code != exitUser || !strings.Contains(out, "new") || !strings.Contains(errs, "--yes") {
		t.Errorf("trust without a terminal: exit %d: %s%s", code, out, errs)
	}
	if code, out, _ := call(t, "trust", ws, "--json"); code != exitUser || !strings.Contains(out, `"value": "http://127.0.0.1:9/v1 with the key in OPENAI_API_KEY"`) || !strings.Contains(out, `"agreed": false`) {
		t.Errorf("as JSON: exit %d: %s", code, out)
	}
	ok(t, "trust", ws, "--yes")
	if _, errs := ok(t, estimate...); !strings.Contains(errs, "config: "+filepath.Join(ws, configName)) {
		t.Errorf("which configuration was read is not said: %s", errs)
	}
	if out, _ := ok(t, "trust", ws, "--json"); !strings.Contains(out, `"agreed": true`) || strings.Contains(out, `"agreed": false`) {
		t.Errorf("agreed to: %s", out)
	}
	// Another address, or the same with another key, asks anew.
	write(filepath.Join(ws, configName), strings.Replace(config, "prices:", "api-key-env: PATH, prices:", 1))
	if code, _, errs := call(t, estimate...); code != exitUser || !strings.Contains(errs, "with the key in PATH") || strings.Contains(errs, table) {
		t.Errorf("another key: exit %d: %s", code, errs)
	}
	write(filepath.Join(ws, configName), config)
	if out, _ := ok(t, "trust", ws, "--revoke"); !strings.Contains(out, "taken back: 2") {
		t.Errorf("revoked: %s", out)
	}
	if code, _, _ := call(t, estimate...); code != exitUser {
		t.Errorf("after it was taken back: exit %d", code)
	}

	// The same file named, or as one's own.
	ok(t, append(estimate, "--config", filepath.Join(ws, configName))...)
	write(filepath.Join(own, configName), config)
	if err := os.Remove(filepath.Join(ws, configName)); err != nil {
		t.Fatal(err)
	}
	ok(t, estimate...)
}

// writeConfig writes a configuration into a folder.
func writeConfig(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, configName), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// No file agrees for the user: neither does the command that shows obey one, nor may one
// mention it.
func TestConfigsAgreeToNothing(t *testing.T) {
	own := t.TempDir()
	t.Setenv("MLLMREC_CONFIG_DIR", own)
	ws := importWordyShop(t, 12, 12)
	const names = "describe: {mllm: openai, mllm-model: m, base-url: 'http://127.0.0.1:9/v1'}\n"
	for _, text := range []string{"trust: {yes: true}\n" + names, "all: {yes: true}\n" + names} {
		writeConfig(t, ws, text)
		for _, args := range [][]string{{"trust", ws}, {"trust", ws, "--yes"}, {"status", ws}, {"describe", ws, "--estimate"}} {
			if code, out, errs := call(t, args...); code != exitUser {
				t.Errorf("%q: %v: exit %d: %s%s", text, args[0], code, out, errs)
			}
		}
	}
	// Options of all commands are none of trust's, and no obstacle to it.
	writeConfig(t, ws, "all: {quiet: true, json: true}\n"+names)
	if code, out, errs := call(t, "trust", ws); code != exitUser || !strings.Contains(out, "http://127.0.0.1:9/v1") || !strings.Contains(errs, "--yes") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if _, err := os.Stat(filepath.Join(own, "consents.json")); err == nil {
		t.Error("something was agreed to")
	}
}

// The way on that a refusal names leads on: for a configuration in the current folder, and
// where half of what is asked for stands in the user's own.
func TestTheWayOnLeadsOn(t *testing.T) {
	own := t.TempDir()
	t.Setenv("MLLMREC_CONFIG_DIR", own)
	t.Setenv("MY_KEY", "sk-something-of-mine")
	ws, here := importWordyShop(t, 12, 12), t.TempDir()
	writeConfig(t, own, "all: {api-key-env: MY_KEY}\n")
	writeConfig(t, here, "all: {mllm: openai, mllm-model: m, base-url: 'http://127.0.0.1:9/v1', allow-private-images: true}\n")
	t.Chdir(here)
	code, _, errs := call(t, "describe", ws, "--estimate")
	if code != exitUser || !strings.Contains(errs, "mllmrec trust .\n") || !strings.Contains(errs, "with the key in MY_KEY") || !strings.Contains(errs, "private networks") {
		t.Fatalf("exit %d: %s", code, errs)
	}
	ok(t, "trust", ".", "--yes")
	ok(t, "describe", ws, "--estimate")

	// The permission was given to what that folder asks for, and not to everybody's.
	there := t.TempDir()
	writeConfig(t, there, "all: {mllm: openai, mllm-model: m, base-url: 'http://127.0.0.1:9/v1', allow-private-images: true}\n")
	t.Chdir(there)
	code, _, errs = call(t, "describe", ws, "--estimate")
	if code != exitUser || strings.Contains(errs, "MY_KEY") || !strings.Contains(errs, "private networks") {
		t.Errorf("another folder: exit %d: %s", code, errs)
	}
}

// What was typed is not asked about again, and where that cannot be noted the command goes
// on and says so.
func TestWhatWasTypedIsRemembered(t *testing.T) {
	own := filepath.Join(t.TempDir(), "own")
	t.Setenv("MLLMREC_CONFIG_DIR", own)
	ws := importWordyShop(t, 12, 12)
	typed := []string{"describe", ws, "--estimate", "--base-url", "http://127.0.0.1:9"}
	ok(t, typed...)
	writeConfig(t, ws, "describe: {base-url: 'http://127.0.0.1:9'}\n")
	ok(t, "describe", ws, "--estimate")

	if err := os.Remove(filepath.Join(ws, configName)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MLLMREC_CONFIG_DIR", filepath.Join(file, "below")) // where nothing can be written
	if _, errs := ok(t, typed...); strings.Count(errs, "asked again") != 1 {
		t.Errorf("%s", errs)
	}
}

// A value cannot look like more rows of the list than one.
func TestTheListOfGrantsCannotBeForged(t *testing.T) {
	t.Setenv("MLLMREC_CONFIG_DIR", t.TempDir())
	dir := t.TempDir()
	writeConfig(t, dir, `all: {prices: "/evil\nagreed\tserver to send to\thttp://mine\tmllmrec.yaml"}`+"\n")
	_, out, errs := call(t, "trust", dir)
	if n := strings.Count(strings.TrimSpace(out), "\n"); n != 1 || !strings.Contains(out, "/evil agreed server") || strings.Contains(errs, "\nagreed") {
		t.Errorf("%d rows: %s%s", n, out, errs)
	}
}
