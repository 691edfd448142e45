// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package tools names the programs that the tests run, for go.mod: NSQ's own servers.
package tools

import (
	_ "github.com/nsqio/nsq/apps/nsqd"
	_ "github.com/nsqio/nsq/apps/nsqlookupd"
)
