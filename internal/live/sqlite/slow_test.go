//go:build slow

package sqlite

const kills = 20
