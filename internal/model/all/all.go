// Package all links every recommender into the registry of package model.
package all

import (
	_ "github.com/mllmrec/mllmrec/internal/model/bm3"
	_ "github.com/mllmrec/mllmrec/internal/model/bpr"
	_ "github.com/mllmrec/mllmrec/internal/model/dualgnn"
	_ "github.com/mllmrec/mllmrec/internal/model/freedom"
	_ "github.com/mllmrec/mllmrec/internal/model/grcn"
	_ "github.com/mllmrec/mllmrec/internal/model/gume"
	_ "github.com/mllmrec/mllmrec/internal/model/hybrid"
	_ "github.com/mllmrec/mllmrec/internal/model/itemkernel"
	_ "github.com/mllmrec/mllmrec/internal/model/lattice"
	_ "github.com/mllmrec/mllmrec/internal/model/lgmrec"
	_ "github.com/mllmrec/mllmrec/internal/model/lightgcn"
	_ "github.com/mllmrec/mllmrec/internal/model/mgcn"
	_ "github.com/mllmrec/mllmrec/internal/model/mllmrec"
	_ "github.com/mllmrec/mllmrec/internal/model/mmgcn"
	_ "github.com/mllmrec/mllmrec/internal/model/mmssl"
	_ "github.com/mllmrec/mllmrec/internal/model/pool"
	_ "github.com/mllmrec/mllmrec/internal/model/slmrec"
	_ "github.com/mllmrec/mllmrec/internal/model/smore"
	_ "github.com/mllmrec/mllmrec/internal/model/soil"
	_ "github.com/mllmrec/mllmrec/internal/model/vbpr"
)
