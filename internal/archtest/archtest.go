// Package archtest holds the test that keeps the import table of docs/architecture.md
// true.
package archtest
