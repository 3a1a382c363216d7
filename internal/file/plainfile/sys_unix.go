//go:build unix

package plainfile

import "syscall"

// nonblock keeps an open of a named pipe, put there after we looked, from waiting.
const nonblock = syscall.O_NONBLOCK
