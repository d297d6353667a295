package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func get(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	return answer
}

func TestGreeting(t *testing.T) {
	for path, want := range map[string]string{
		"/":          "Hello, world!\n",
		"/?name=Ada": "Hello, Ada!\n",
	} {
		if got := get(t, path).Body.String(); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestHealth(t *testing.T) {
	if got := get(t, "/healthz").Code; got != http.StatusOK {
		t.Errorf("got %d", got)
	}
}
