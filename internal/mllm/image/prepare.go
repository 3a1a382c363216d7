package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	goimage "image"
	"image/gif"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/webp"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// Prepare makes of an encoded picture (JPEG, PNG, GIF, WebP) the one that is sent. Of an
// animation it takes the first frame. With Options.CacheDir it reads pictures prepared before
// from the cache.
func (l *Loader) Prepare(ctx context.Context, data []byte) (mllm.Image, error) {
	if int64(len(data)) > l.opt.MaxBytes {
		return mllm.Image{}, fail(TooLarge, "more than %d bytes", l.opt.MaxBytes)
	}
	if l.opt.CacheDir == "" {
		return l.prepare(ctx, data)
	}
	path := l.preparedPath(data)
	if img, ok := l.readPrepared(path); ok {
		return img, nil
	}
	img, err := l.prepare(ctx, data)
	if err != nil {
		return mllm.Image{}, err
	}
	return img, l.keepPrepared(path, img)
}

func (l *Loader) prepare(ctx context.Context, data []byte) (mllm.Image, error) {
	f, err := sniff(data)
	if err != nil {
		return mllm.Image{}, err
	}
	if f == formatWebP {
		data = firstFrame(data)
	}
	cfg, err := header(data, f)
	if err != nil {
		return mllm.Image{}, err
	}
	pixels := int64(cfg.Width) * int64(cfg.Height)
	switch {
	case cfg.Width <= 0 || cfg.Height <= 0:
		return mllm.Image{}, fail(Corrupt, "its size is %d×%d", cfg.Width, cfg.Height)
	case pixels > l.opt.MaxPixels:
		return mllm.Image{}, fail(TooManyPixels, "%d×%d; at most %d pixels are decoded", cfg.Width, cfg.Height, l.opt.MaxPixels)
	}
	// All pictures being decoded at the same time together have at most the pixels allowed for
	// one.
	if err := l.decoding.Acquire(ctx, pixels); err != nil {
		return mllm.Image{}, &Error{Kind: Cancelled, Err: err}
	}
	defer l.decoding.Release(pixels)
	img, err := decode(data, f)
	if err != nil {
		return mllm.Image{}, err
	}
	return l.encode(applyOrientation(shrink(img, l.opt.LongSide), orientation(data, f)))
}

func (l *Loader) encode(img *goimage.RGBA) (mllm.Image, error) {
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, img, &jpeg.Options{Quality: l.opt.Quality}); err != nil {
		return mllm.Image{}, fail(Unsupported, "encode it again: %w", err)
	}
	sum := sha256.Sum256(buf.Bytes())
	return mllm.Image{Data: buf.Bytes(), MIME: "image/jpeg", SHA256: hex.EncodeToString(sum[:]),
		Width: img.Rect.Dx(), Height: img.Rect.Dy()}, nil
}

func header(data []byte, f format) (cfg goimage.Config, err error) {
	defer recoverDecoder(&err)
	r := bytes.NewReader(data)
	switch f {
	case formatJPEG:
		cfg, err = jpeg.DecodeConfig(r)
	case formatPNG:
		cfg, err = png.DecodeConfig(r)
	case formatGIF:
		cfg, err = gif.DecodeConfig(r)
	case formatWebP:
		cfg, err = webp.DecodeConfig(r)
	}
	return cfg, damaged(err)
}

func decode(data []byte, f format) (img goimage.Image, err error) {
	defer recoverDecoder(&err)
	r := bytes.NewReader(data)
	switch f {
	case formatJPEG:
		img, err = jpeg.Decode(r)
	case formatPNG:
		img, err = png.Decode(r)
	case formatGIF:
		img, err = gif.Decode(r)
	case formatWebP:
		img, err = webp.Decode(r)
	}
	if err == nil && img.Bounds().Empty() {
		err = errors.New("it has no pixels")
	}
	return img, damaged(err)
}

// damaged makes an *Error of a decoder's error.
func damaged(err error) error {
	if err == nil {
		return nil
	}
	var j jpeg.UnsupportedError
	var p png.UnsupportedError
	if errors.As(err, &j) || errors.As(err, &p) {
		return &Error{Kind: Unsupported, Err: err}
	}
	return &Error{Kind: Corrupt, Err: err}
}

// recoverDecoder turns a decoder's panic into an error, so that a hostile picture does not end
// the run.
func recoverDecoder(err *error) {
	if r := recover(); r != nil {
		*err = fail(Corrupt, "the decoder gave up: %s", fmt.Sprint(r))
	}
}
