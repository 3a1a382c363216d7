//go:build unix

package image

import "syscall"

const nonblock = syscall.O_NONBLOCK
