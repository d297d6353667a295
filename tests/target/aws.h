/* Deployments to the AWS stand-ins of tests/clouds/aws, for tests in C. Run from the top of the
 * tree. */
#ifndef TESTS_TARGET_AWS_H
#define TESTS_TARGET_AWS_H

#include <fcntl.h>

#include "base/json.h"
#include "target/app_runner/settings.h"
#include "target/bench.h"
#include "target/ecs_express/settings.h"

#define AWS_COMMIT "0123456789ab"
#define AWS_SHOP   "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:" AWS_COMMIT "-"

static struct {
	int in; /* its standard input: it ends with that */
	pid_t pid;
	char url[64], endpoint[96], image[200];
	const char *env[8];
	struct app_runner_settings app_runner;
	struct express_settings ecs_express;
} aws_world;

static inline const char *aws_absent(void)
{
	if (access("tests/npm/node_modules/@aws-sdk/client-ecs", F_OK) != 0)
		return "tests/npm/node_modules is absent: (cd tests/npm && npm ci)";
	if (access("/usr/lib/python3/dist-packages/botocore/data", F_OK) != 0)
		return "python3-botocore is not installed";
	return access("/usr/bin/docker-registry", X_OK) != 0 ? "docker-registry is not installed"
							     : NULL;
}

static inline void aws_start(void)
{
	int in[2], out[2], port;
	FILE *told;

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		bail_out("pipe2");
	aws_world.pid = fork();
	if (aws_world.pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl("/usr/bin/python3", "python3", "-W", "ignore", "tests/clouds/aws/aws.py",
		      (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	aws_world.in = in[1];
	told = fdopen(out[0], "r");
	if (!told || fscanf(told, "%d", &port) != 1)
		bail_out("the stand-in did not start");
	fclose(told);
	snprintf(aws_world.url, sizeof aws_world.url, "http://127.0.0.1:%d", port);
}

/* Ask the stand-in, or one of its apps: the answer's body when it is 200. */
static inline const char *aws_ask(struct bench *bench, const char *url, const char *body)
{
	static char text[65536];
	struct http_request request = {.method = body ? "POST" : "GET", .timeout = 20};
	struct http_response response = {0};
	struct err err;

	request.url = xstrdup(url);
	request.body = body;
	request.body_size = body ? strlen(body) : 0;
	/* What is asked here may be asked twice; what is tested is elsewhere. */
	for (int try = 1; http_send(bench->site.http, &request, &response, &err) == -1; try++) {
		if (try == 5)
			bail_out(err.text);
		clock_sleep(&clock_system, 200);
	}
	snprintf(text, sizeof text, "%s", response.status == 200 ? buf_text(&response.body) : "");
	http_request_free(&request);
	http_response_free(&response);
	return text;
}

static inline void aws_control(struct bench *bench, const char *what, const char *body)
{
	autofree char *url = xprintf("%s/_control/%s", aws_world.url, what);

	aws_ask(bench, url, body);
}

static inline void aws_open_world(struct bench *bench)
{
	static const char *const env[] = {
		"AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
		"AWS_CONFIG_FILE=/nonexistent",
		"AWS_SHARED_CREDENTIALS_FILE=/nonexistent",
	};

	bench_open(bench);
	aws_start();
	snprintf(aws_world.endpoint, sizeof aws_world.endpoint, "AWS_ENDPOINT_URL=%s",
		 aws_world.url);
	memcpy(aws_world.env, env, sizeof env);
	aws_world.env[sizeof env / sizeof *env] = aws_world.endpoint;
	bench->site.env = aws_world.env;
	bench->health.path = "/";
	aws_control(bench, "reset", "{\"urls\": \"loopback\", \"images\": \"any\"}");
	aws_control(bench, "do",
		    "[{\"fault\": {\"op\": \"DescribeImages\", \"kind\": \"denied\", \"times\": "
		    "0}}]");
}

static inline void app_runner_try(struct bench *bench, struct try *try, struct arena *arena,
				  const char *key, int64_t fence)
{
	bench_try(bench, try, arena, key, fence, "ok");
	aws_world.app_runner = (struct app_runner_settings){
		.service_name = "shop",
		.image = arena_printf(arena, AWS_SHOP "%s", key),
		.access_role = "arn:aws:iam::123456789012:role/AppRunnerECRAccessRole",
		.ingress = -1,
		.ip_address_type = -1,
		.busy_timeout = 60,
		.wait_timeout = 60,
	};
	try->deploy.settings = &aws_world.app_runner;
	try->artifact.commit = AWS_COMMIT "cdef0123456789abcdef0123456789";
	try->env[0] = NULL;
}

static inline void aws_build(struct try *try)
{
	(void)try;
}

static inline void ecs_express_try(struct bench *bench, struct try *try, struct arena *arena,
				   const char *key, int64_t fence)
{
	bench_try(bench, try, arena, key, fence, "ok");
	aws_world.ecs_express = (struct express_settings){
		.service_name = "shop",
		.image = arena_printf(arena, AWS_SHOP "%s", key),
		.execution_role = "arn:aws:iam::123456789012:role/ecsTaskExecutionRole",
		.infrastructure_role = "arn:aws:iam::123456789012:role/ecsInfrastructure",
		.architecture = -1,
		.busy_timeout = 60,
		.wait_timeout = 60,
	};
	try->deploy.settings = &aws_world.ecs_express;
	try->artifact.commit = AWS_COMMIT "cdef0123456789abcdef0123456789";
	try->env[0] = NULL;
}

/* The app answers with the name of its image. */
static inline const char *aws_serves(struct bench *bench, const char *kind)
{
	autofree char *control = xprintf("%s/_control/state", aws_world.url);
	const char *state = aws_ask(bench, control, NULL), *answer;
	json_auto json_t *json = NULL;
	struct err err;

	if (json_parse(&json, state, strlen(state), &err))
		bail_out(err.text);
	for (size_t i = 0; i < json_array_size(json_at(json, kind)); i++) {
		const json_t *service = json_array_get(json_at(json, kind), i);

		answer = aws_ask(bench, json_text(service, "url"), NULL);
		if (text_starts(answer, AWS_SHOP))
			return answer + strlen(AWS_SHOP);
	}
	return "";
}

static inline const char *app_runner_serves(struct bench *bench)
{
	return aws_serves(bench, "apprunner");
}

static inline const char *ecs_express_serves(struct bench *bench)
{
	return aws_serves(bench, "ecs");
}

static inline void aws_close(struct bench *bench)
{
	close(aws_world.in);
	waitpid(aws_world.pid, NULL, 0);
	bench_close(bench);
}

#endif
