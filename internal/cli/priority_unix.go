//go:build unix

package cli

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// apart puts a command that will be started into a group of its own: Ctrl-C reaches it through this process alone.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// lowerPriority lets a command that was put apart have the processors only where nobody else wants them. It is a wish: where the
// system refuses, it competes.
func lowerPriority(cmd *exec.Cmd) {
	unix.Setpriority(unix.PRIO_PGRP, cmd.Process.Pid, 15) //nolint:errcheck // see above
}
