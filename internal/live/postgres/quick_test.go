//go:build !slow

package postgres

const kills = 4
