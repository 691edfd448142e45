// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package tools names the program that the tests run, for go.mod: a server of Google Cloud Storage's JSON API.
package tools

import _ "github.com/fsouza/fake-gcs-server"
