package remote

import (
	"context"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// maxAnswer bounds one answer, in bytes. Correct ones are far smaller.
const maxAnswer = 256 << 20

func (c *Client) get(ctx context.Context, path string, out any) error {
	return c.wire.Call(ctx, c.cfg.Timeout, path, c.cfg.Model, nil, out)
}

func (c *Client) post(ctx context.Context, path string, in, out any) error {
	return c.wire.Call(ctx, c.cfg.Timeout, path, c.cfg.Model, in, out)
}

func (c *Client) fail(class mllm.Class, format string, args ...any) *mllm.Error {
	return c.wire.Fail(class, c.cfg.Model, format, args...)
}

// missing is the error of a user who names a model that the server does not have.
func (c *Client) missing(format string, args ...any) error {
	return usererr.Wrap(c.fail(mllm.NotFound, format, args...), "Name a model that the server has, or pull it there first.")
}
