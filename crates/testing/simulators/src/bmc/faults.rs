/// What can go wrong with a Job or a BMC; the pattern of [`Faults`](crate::Faults) is matched with the Job's and the BMC
/// Machine's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobFault {
    /// The BMC refuses an action: Task and Job end as Failed and the power stays as it was. A strike a Task.
    Fails,
    /// There is no connection to the BMC: as [`Self::Fails`], at once, with rufio's message for it. Its BMC Machine is
    /// not Contactable and its power unknown. A strike a Task.
    ConnectError,
    /// The Job never gets a condition, as when rufio is down. A strike a look, so it is not to be counted.
    NeverReports,
    /// The BMC takes a command and never answers a question after it: the Task fails ten minutes after its start. Its
    /// BMC Machine is not Contactable and its power unknown. A strike a look, so it is not to be counted.
    NeverAnswers,
    /// The BMC says that it did what it was told, and does nothing: the Task fails ten minutes after its start. A strike
    /// a command.
    Ignores,
    /// The BMC calls "off" an error when its server is off already. A strike each time.
    OffIsAnError,
}
