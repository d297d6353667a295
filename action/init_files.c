#include "action/init_files.h"

void init_files_project(const struct init_app *app, struct buf *out)
{
	buf_addf(
		out,
		"# What slipway builds, tests and serves. `slipway check` finds mistakes, `slipway "
		"plan` says what would happen.\n"
		"version: 1\n"
		"services:\n"
		"  %s:\n"
		"    build: {dockerfile: Dockerfile}\n",
		app->name);
	if (app->kind == INIT_FLASK && app->has_tests)
		buf_adds(out, "    test: {run: [python3, -m, pytest, -q, -p, no:cacheprovider]}  "
			      "# in the built image; a failure stops here\n");
	else if (app->kind == INIT_GO && app->has_tests)
		buf_adds(out,
			 "    # The tests run while the image is built: see the Dockerfile.\n");
	else
		buf_adds(out,
			 "    # test: {run: [make, test]}      # in the built image; a failure "
			 "stops here\n");
	buf_addf(
		out,
		"    # release: {run: [./migrate]}      # once per deployment, before any traffic\n"
		"    # A version is live once this path answers so from it, and from no version "
		"before it.\n"
		"    health: {path: %s, status: 200, timeout: 60s}\n"
		"    env: {LOG_LEVEL: info}\n"
		"    # secrets: [DATABASE_URL]          # names; the values come from the "
		"workflow's "
		"env or the server\n"
		"    environments:\n"
		"      production:\n"
		"        target: server                 # this machine: a container behind nginx\n"
		"        run: container\n"
		"        url: http://%s.localhost:8080  # where it is reached\n",
		app->health, app->name);
}

static void flask_dockerfile(const struct init_app *app, struct buf *out)
{
	buf_addf(out,
		 "FROM python:3.11-slim\n"
		 "WORKDIR /app\n"
		 "%s"
		 "# pytest is for the tests, which run in this image before anything is switched.\n"
		 "RUN pip install --no-cache-dir %sgunicorn pytest\n"
		 "COPY . .\n"
		 "USER nobody\n"
		 "ENV PORT=8080 PYTHONUNBUFFERED=1\n"
		 "EXPOSE 8080\n"
		 "# exec: gunicorn gets the signal that asks it to stop.\n"
		 "CMD exec gunicorn --bind \"0.0.0.0:$PORT\" --workers 2 '%s'\n",
		 app->has_requirements ? "COPY requirements.txt ./\n" : "",
		 app->has_requirements ? "-r requirements.txt " : "flask ", app->entry);
}

static void go_dockerfile(const struct init_app *app, struct buf *out)
{
	buf_addf(out,
		 "FROM golang:1.22 AS build\n"
		 "WORKDIR /src\n"
		 "COPY . .\n"
		 "%s"
		 "RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -o /out/app %s\n"
		 "\n"
		 "FROM debian:bookworm-slim\n"
		 "COPY --from=build /out/app /usr/local/bin/app\n"
		 "USER nobody\n"
		 "ENV HOST=0.0.0.0 PORT=8080\n"
		 "EXPOSE 8080\n"
		 "CMD [\"/usr/local/bin/app\"]\n",
		 app->has_tests ? "RUN go vet ./... && go test ./...\n" : "RUN go vet ./...\n",
		 app->entry);
}

void init_files_dockerfile(const struct init_app *app, struct buf *out)
{
	if (app->kind == INIT_GO)
		go_dockerfile(app, out);
	else
		flask_dockerfile(app, out);
}

void init_files_ignore(const struct init_app *app, struct buf *out)
{
	buf_adds(out, ".git\n.github\nslipway.yml\n");
	if (app->kind == INIT_FLASK)
		buf_adds(out, "**/__pycache__\n**/*.pyc\n.venv\nvenv\n.pytest_cache\n");
}

void init_files_workflow(const struct init_app *app, struct buf *out)
{
	(void)app;
	buf_adds(out, "name: Deploy\n"
		      "on:\n"
		      "  push: {branches: [main]}\n"
		      "permissions: {}\n"
		      "jobs:\n"
		      "  deploy:\n"
		      "    # Target server serves from the machine that the job runs on, so that "
		      "is a runner of "
		      "yours.\n"
		      "    # For a cloud target: ubuntu-latest.\n"
		      "    runs-on: self-hosted\n"
		      "    timeout-minutes: 60\n"
		      "    # One at a time; one that runs is never cut off by the next.\n"
		      "    concurrency: {group: production, cancel-in-progress: false}\n"
		      "    permissions:\n"
		      "      contents: read\n"
		      "      deployments: write  # to show the deployment on GitHub\n"
		      "      id-token: write     # to log in to a cloud without a stored key\n"
		      "    steps:\n"
		      "      - uses: actions/checkout@v7\n"
		      "        with: {persist-credentials: false}\n"
		      "      - uses: slipway/slipway@v1\n"
		      "        with: {environment: production}\n"
		      "        # env: {DATABASE_URL: \"${{ secrets.DATABASE_URL }}\"}  # what "
		      "`secrets:` names\n");
}
