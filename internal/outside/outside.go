// Package outside holds a program in a module of its own, in testdata/client, and a test
// that builds and runs it: what it uses of the library is what any Go program can use.
package outside
