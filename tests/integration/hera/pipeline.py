# SPDX-License-Identifier: Apache-2.0
"""pipeline.py URL TOKEN: what somebody does with Hera, the Python SDK of Argo Workflows. Prints what came of it, as JSON; test_hera.py judges it."""
import json
import sys
import time

from hera.exceptions import HeraException
from hera.workflows import Artifact, CronWorkflow, NoneArchiveStrategy, Parameter, Steps, Suspend, Workflow, WorkflowsService, WorkflowTemplate, models, script

service = WorkflowsService(host=sys.argv[1], token=sys.argv[2], namespace="default", verify_ssl=False)
seen = {}


@script(image="python:3.11", command=["python3"], outputs=[Artifact(name="table", path="/tmp/table.csv", archive=NoneArchiveStrategy())])
def extract(rows: int):
    with open("/tmp/table.csv", "w") as f:
        f.writelines(f"{i},{i * i}\n" for i in range(rows))


@script(
    image="python:3.11", command=["python3"],
    inputs=[Artifact(name="table", path="/tmp/in.csv")], outputs=[Parameter(name="sum", value_from=models.ValueFrom(path="/tmp/sum"))],
)
def load():
    with open("/tmp/sum", "w") as f:
        f.write(str(sum(int(line.split(",")[1]) for line in open("/tmp/in.csv"))))


@script(image="python:3.11", command=["python3"])
def breaks():
    raise SystemExit(3)


def spec(kind, **fields):
    with kind(entrypoint="main", namespace="default", workflows_service=service, arguments=[Parameter(name="rows", value="4")], **fields) as w:
        with Steps(name="main"):
            table = extract(arguments={"rows": "{{workflow.parameters.rows}}"})
            load(arguments=table.get_artifact("table"))
    return w


def the_end_of(name):
    while not (w := service.get_workflow(name)).status.finished_at:
        time.sleep(0.1)
    return w


def node(w, template):
    return next(n for n in w.status.nodes.values() if n.template_name == template and n.type == "Pod")


def refused(call, *args):
    try:
        call(*args)
    except HeraException as e:
        return f"{type(e).__name__}: {e}"
    return "it was taken"


def an_artifact_from_step_to_step():
    w = spec(Workflow, generate_name="etl-", labels={"team": "data"}).create(wait=True, poll_interval=1)
    table = node(w, "extract")
    seen["phase"] = w.status.phase
    seen["sum"] = node(w, "load").outputs.parameters[0].value
    seen["table"] = service.get_output_artifact(w.metadata.name, table.id, "table")
    seen["table, by uid"] = service.get_output_artifact_by_uid(w.metadata.uid, table.id, "table")
    seen["of the team"] = [x.metadata.name == w.metadata.name for x in service.list_workflows(label_selector="team=data").items]
    seen["archived"] = service.get_archived_workflow(w.metadata.uid).metadata.name == w.metadata.name
    service.delete_workflow(w.metadata.name)
    seen["deleted"] = refused(service.get_workflow, w.metadata.name)


def a_failure_that_is_retried():
    with Workflow(generate_name="bad-", entrypoint="main", namespace="default", workflows_service=service) as w:
        with Steps(name="main"):
            breaks()
    w = w.create(wait=True, poll_interval=1)
    seen["failed"] = [w.status.phase, node(w, "breaks").message]
    name = w.metadata.name
    seen["retried"] = service.retry_workflow(name, models.WorkflowRetryRequest(name=name, namespace="default")).status.phase
    seen["resubmitted"] = service.resubmit_workflow(name, models.WorkflowResubmitRequest(name=name, namespace="default")).metadata.name.startswith("bad-")


def waiting():
    with Workflow(generate_name="wait-", entrypoint="main", namespace="default", workflows_service=service) as w:
        hold = Suspend(name="hold")
        with Steps(name="main"):
            hold(name="approval")
    return w.create().metadata.name


def what_waits():
    name = waiting()
    seen["suspended"] = service.suspend_workflow(name, models.WorkflowSuspendRequest(name=name, namespace="default")).spec.suspend
    service.resume_workflow(name, models.WorkflowResumeRequest(name=name, namespace="default"))
    seen["resumed"] = the_end_of(name).status.phase
    name = waiting()
    service.stop_workflow(name, models.WorkflowStopRequest(name=name, namespace="default", message="enough"))
    seen["stopped"] = the_end_of(name).status.phase


def a_template():
    t = spec(WorkflowTemplate, name="etl")
    seen["template"] = [t.lint().metadata.name, t.create().metadata.name, t.update().metadata.name]
    options = models.SubmitOpts(parameters=["rows=3"])
    w = service.submit_workflow(models.WorkflowSubmitRequest(namespace="default", resource_kind="WorkflowTemplate", resource_name="etl", submit_options=options))
    seen["submitted"] = w.spec.arguments.parameters[0].value
    seen["twice"] = refused(t.create)


def a_schedule():
    c = spec(CronWorkflow, name="nightly", schedules=["30 2 * * *"], timezone="Europe/Berlin", concurrency_policy="Forbid")
    seen["cron"] = [c.lint().metadata.name, c.create().metadata.name]
    seen["crons"] = [x.metadata.name for x in service.list_cron_workflows().items]
    request = models.CronWorkflowSuspendRequest(name="nightly", namespace="default")
    seen["cron suspended"] = service.suspend_cron_workflow("nightly", request).spec.suspend
    request = models.CronWorkflowResumeRequest(name="nightly", namespace="default")
    seen["cron resumed"] = bool(service.resume_cron_workflow("nightly", request).spec.suspend)
    c.schedules = ["0 3 * * *"]
    seen["cron updated"] = c.update().spec.schedules
    service.delete_cron_workflow("nightly")
    seen["no crons"] = [x.metadata.name for x in service.list_cron_workflows().items or []]


an_artifact_from_step_to_step()
a_failure_that_is_retried()
what_waits()
a_template()
a_schedule()
json.dump(seen, sys.stdout)
